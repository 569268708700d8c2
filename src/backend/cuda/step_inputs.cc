#include "backend/cuda/step_inputs.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <stdexcept>

namespace hangar::cuda {
namespace {

constexpr std::size_t kSequenceInts = sizeof(RaggedBatch::Sequence) / sizeof(std::int32_t);
static_assert(sizeof(RaggedBatch::Sequence) == 5 * sizeof(std::int32_t));
constexpr std::size_t kLooseInts = std::size_t{1} << 20U;

// Every part begins on a border of 16 bytes.
std::size_t aligned(std::size_t ints) {
  return (ints + 3) / 4 * 4;
}

}  // namespace

StepInputs::StepInputs(Device& device) : device_memory_(device) {
  device_ = static_cast<std::int32_t*>(device.take(kMostInts * sizeof(std::int32_t)));
  loose_device_ = static_cast<std::int32_t*>(device.take(kLooseInts * sizeof(std::int32_t)));
  if (device_ == nullptr || loose_device_ == nullptr) {
    throw std::length_error("the card's memory does not hold a step's inputs");
  }
  for (Buffer& buffer : buffers_) {
    buffer.device =
        static_cast<std::int32_t*>(device.take_unfilled(kStagedInts * sizeof(std::int32_t), 256));
    if (buffer.device == nullptr) {
      throw std::length_error("the card's memory does not hold a step's inputs");
    }
    HANGAR_CUDA(
        cudaMallocHost(reinterpret_cast<void**>(&buffer.host), kMostInts * sizeof(std::int32_t)));
    HANGAR_CUDA(cudaEventCreateWithFlags(&buffer.placed, cudaEventDisableTiming));
    HANGAR_CUDA(cudaEventCreateWithFlags(&buffer.read, cudaEventDisableTiming));
  }
  HANGAR_CUDA(
      cudaMallocHost(reinterpret_cast<void**>(&loose_host_), kLooseInts * sizeof(std::int32_t)));
}

StepInputs::~StepInputs() {
  for (const Buffer& buffer : buffers_) {
    for (cudaEvent_t event : {buffer.placed, buffer.read}) {
      if (event != nullptr) (void)cudaEventDestroy(event);
    }
    if (buffer.host != nullptr) (void)cudaFreeHost(buffer.host);
  }
  if (loose_host_ != nullptr) (void)cudaFreeHost(loose_host_);
}

StepInputs::Buffer& StepInputs::next_buffer() {
  HANGAR_CUDA(cudaEventRecord(buffers_[next_].placed, device_memory_.stream()));
  next_ = (next_ + 1) % kBuffers;
  Buffer& next = buffers_[next_];
  next.copy.wait();
  HANGAR_CUDA(cudaEventSynchronize(next.read));
  return next;
}

DeviceBatch StepInputs::upload(const RaggedBatch& batch, StepKind kind) {
  const bool fixed = kind != StepKind::kAny;
  assert(!fixed || batch.rows() <= kFixedRows);
  const auto rows = static_cast<std::size_t>(batch.rows());
  const std::size_t sequences = batch.sequences.size();
  const std::size_t row_room = fixed ? kFixedRows : aligned(rows);
  const std::size_t sequence_room = fixed ? kFixedRows : sequences;
  const std::size_t logit_room = fixed ? kFixedRows : aligned(batch.logit_rows.size());
  const std::size_t positions_at = row_room;
  const std::size_t row_sequence_at = positions_at + row_room;
  const std::size_t logit_rows_at = row_sequence_at + row_room;
  const std::size_t sequences_at = logit_rows_at + logit_room;
  const std::size_t tables_at = sequences_at + aligned(sequence_room * kSequenceInts);
  const std::size_t end = tables_at + batch.block_tables.size();
  if (end > kMostInts) throw std::length_error("a step is larger than the card's room for it");

  Buffer& buffer = next_buffer();
  std::int32_t* const host = buffer.host;
  std::ranges::copy(batch.token_ids, host);
  std::ranges::copy(batch.positions, host + positions_at);
  std::ranges::copy(batch.logit_rows, host + logit_rows_at);
  std::memcpy(host + sequences_at, batch.sequences.data(),
              sequences * sizeof(RaggedBatch::Sequence));
  std::ranges::copy(batch.block_tables, host + tables_at);
  auto* const there = reinterpret_cast<RaggedBatch::Sequence*>(host + sequences_at);
  DeviceBatch made;
  for (std::size_t s = 0; s < sequences; ++s) {
    const RaggedBatch::Sequence& sequence = batch.sequences[s];
    std::fill_n(host + row_sequence_at + sequence.first_row, sequence.rows,
                static_cast<std::int32_t>(s));
    made.plan_max_rows = std::max(made.plan_max_rows, sequence.rows);
    made.plan_max_tokens = std::max(made.plan_max_tokens, sequence.context_tokens + sequence.rows);
    if (sequence.blocks == 0) there[s].rows = 0;
  }
  cudaStream_t stream = device_memory_.stream();
  if (kind == StepKind::kGraph && end <= kStagedInts) {
    cudaStream_t side = device_memory_.side_stream();
    HANGAR_CUDA(cudaStreamWaitEvent(side, buffer.placed, 0));
    buffer.copy.bring(side, stream, buffer.device, host, end * sizeof(std::int32_t));
    place_ints(device_memory_.launch(), device_, buffer.device, end);
  } else {
    HANGAR_CUDA(
        cudaMemcpyAsync(device_, host, end * sizeof(std::int32_t), cudaMemcpyHostToDevice, stream));
    HANGAR_CUDA(cudaEventRecord(buffer.read, stream));
  }

  sections_ = {Section{batch.token_ids.data(), 0, rows},
               Section{batch.positions.data(), positions_at, rows},
               Section{batch.logit_rows.data(), logit_rows_at, batch.logit_rows.size()}};
  made.token_ids = device_;
  made.positions = device_ + positions_at;
  made.row_sequence = device_ + row_sequence_at;
  made.sequences = reinterpret_cast<const RaggedBatch::Sequence*>(device_ + sequences_at);
  made.block_tables = device_ + tables_at;
  made.rows = batch.rows();
  made.sequence_count = static_cast<std::int32_t>(sequences);
  made.block_tokens = batch.block_tokens;
  return made;
}

const std::int32_t* StepInputs::ints(std::span<const std::int32_t> host) {
  for (const Section& section : sections_) {
    if (section.host == host.data() && section.count >= host.size() && !host.empty()) {
      return device_ + section.at;
    }
  }
  return static_cast<const std::int32_t*>(bytes(std::as_bytes(host)));
}

const void* StepInputs::bytes(std::span<const std::byte> host) {
  cudaStreamCaptureStatus recording = cudaStreamCaptureStatusNone;
  HANGAR_CUDA(cudaStreamIsCapturing(device_memory_.stream(), &recording));
  if (recording != cudaStreamCaptureStatusNone) {
    throw std::logic_error("a step that is recorded needs a list that is not its batch's");
  }
  const std::size_t count = aligned((host.size() + 3) / sizeof(std::int32_t));
  if (count > kLooseInts) throw std::length_error("a list is larger than the card's room for it");
  if (loose_at_ + count > kLooseInts) {
    device_memory_.synchronize();
    loose_at_ = 0;
  }
  if (!host.empty()) std::memcpy(loose_host_ + loose_at_, host.data(), host.size());
  std::int32_t* to = loose_device_ + loose_at_;
  HANGAR_CUDA(cudaMemcpyAsync(to, loose_host_ + loose_at_, host.size(), cudaMemcpyHostToDevice,
                              device_memory_.stream()));
  loose_at_ += count;
  return to;
}

}  // namespace hangar::cuda
