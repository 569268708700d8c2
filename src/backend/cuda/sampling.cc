#include "backend/cuda/sampling.h"

#include <algorithm>
#include <cassert>

#include "backend/cuda/sampling_kernels.h"

namespace hangar::cuda {
namespace {

constexpr std::size_t kAlignment = 256;

// Lays pieces one behind the other: first to count them, then to take them.
class Pieces {
 public:
  explicit Pieces(std::byte* memory) : memory_(memory) {}

  template <typename T>
  void add(T*& pointer, std::size_t count) {
    if (memory_ != nullptr) pointer = reinterpret_cast<T*>(memory_ + bytes_);
    bytes_ += (count * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  std::byte* memory_;
  std::size_t bytes_ = 0;
};

struct DevicePieces {
  SamplerArrays arrays;
  std::array<std::uint32_t*, Sampler::kRounds> plans{};
  std::int32_t* kept_tokens = nullptr;

  // Gives the bytes; memory nullptr: nothing more.
  std::size_t lay_out(const SamplerLimits& limits, const SampleRoom& room, std::byte* memory) {
    arrays.vocabulary = limits.vocabulary;
    const auto rows = static_cast<std::size_t>(limits.rows);
    const std::size_t chunks = rows * static_cast<std::size_t>(arrays.chunks());
    const std::size_t blocks = rows * static_cast<std::size_t>(arrays.blocks());
    Pieces pieces(memory);
    for (std::uint32_t*& plan : plans) pieces.add(plan, room.words);
    pieces.add(arrays.saved, room.words);
    pieces.add(arrays.sums, chunks);
    pieces.add(arrays.raw_sums, chunks);
    pieces.add(arrays.maxima, blocks);
    pieces.add(arrays.raw_maxima, blocks);
    pieces.add(arrays.pending, rows);
    pieces.add(arrays.best, rows);
    pieces.add(arrays.arrived, rows);
    pieces.add(arrays.tokens, static_cast<std::size_t>(limits.step_rows));
    pieces.add(kept_tokens, static_cast<std::size_t>(limits.step_rows));
    arrays.kept_tokens = kept_tokens;
    return pieces.bytes();
  }
};

template <typename T>
void take_pinned(T*& pointer, std::size_t count) {
  HANGAR_CUDA(cudaMallocHost(reinterpret_cast<void**>(&pointer), count * sizeof(T)));
}

}  // namespace

std::size_t Sampler::device_bytes(const SamplerLimits& limits) {
  return DevicePieces().lay_out(limits, SampleRoom::of(limits.vocabulary, limits.rows), nullptr);
}

Result<std::unique_ptr<Sampler>> Sampler::make(Device& device, const SamplerLimits& limits) {
  if (limits.vocabulary < 1 || limits.vocabulary > kMostVocabulary) {
    return make_error(ErrorCode::kUnsupported,
                      "a vocabulary of {} tokens; sampling on a card has "
                      "room for {}",
                      limits.vocabulary, kMostVocabulary);
  }
  std::unique_ptr<Sampler> made(new Sampler(device, limits));
  HANGAR_CHECK_OK(made->take_memory(device));
  return made;
}

Sampler::Sampler(Device& device, const SamplerLimits& limits)
    : launch_(device.launch()),
      limits_(limits),
      room_(SampleRoom::of(limits.vocabulary, limits.rows)),
      plan_(room_),
      side_stream_(device.side_stream()) {}

Status Sampler::take_memory(Device& device) {
  const std::size_t bytes = device_bytes(limits_);
  auto* memory = static_cast<std::byte*>(device.take(bytes, kAlignment));
  if (memory == nullptr) {
    return make_error(ErrorCode::kResourceExhausted,
                      "sampling of {} rows takes {} bytes of the card's memory, {} are left",
                      limits_.rows, bytes, device.left_bytes());
  }
  DevicePieces pieces;
  pieces.lay_out(limits_, room_, memory);
  arrays_ = pieces.arrays;
  kept_tokens_ = pieces.kept_tokens;
  device.synchronize();  // zeros are written before a plan is
  for (std::size_t i = 0; i < kRounds; ++i) {
    Slot& slot = slots_[i];
    slot.device_plan = pieces.plans[i];
    take_pinned(slot.plan, room_.words);
    take_pinned(slot.results, static_cast<std::size_t>(limits_.rows));
    take_pinned(slot.tops, static_cast<std::size_t>(room_.tops));
    HANGAR_CUDA(cudaEventCreateWithFlags(&slot.done, cudaEventDisableTiming));
  }
  return {};
}

Sampler::~Sampler() {
  for (const Slot& slot : slots_) {
    if (slot.done != nullptr) (void)cudaEventDestroy(slot.done);
    for (void* pinned : {static_cast<void*>(slot.plan), static_cast<void*>(slot.results),
                         static_cast<void*>(slot.tops)}) {
      if (pinned != nullptr) (void)cudaFreeHost(pinned);
    }
  }
}

std::int32_t Sampler::plan(std::span<const SampleRow> rows, std::size_t first,
                           std::int32_t padded_rows) {
  assert(first < rows.size());
  assert(rows.size() <= static_cast<std::size_t>(limits_.step_rows));
  slot_ = (slot_ + 1) % kRounds;
  Slot& slot = slots_[slot_];
  HANGAR_CUDA(cudaEventSynchronize(slot.done));
  plan_.pack(rows, first, padded_rows, slot.plan);
  slot.rows = plan_.taken();
  keep_tokens_ = first == 0 && static_cast<std::size_t>(plan_.taken()) < rows.size();
  return plan_.taken();
}

void Sampler::upload() {
  if (keep_tokens_) {
    HANGAR_CUDA(cudaMemcpyAsync(kept_tokens_, arrays_.tokens,
                                static_cast<std::size_t>(limits_.step_rows) * sizeof(std::int32_t),
                                cudaMemcpyDeviceToDevice, launch_.stream));
  }
  Slot& slot = slots_[slot_];
  // Who read it last has been waited for by plan().
  slot.copy.bring(side_stream_, launch_.stream, slot.device_plan, slot.plan,
                  plan_.used_words() * sizeof(std::uint32_t));
  arrays_.plan = slot.device_plan;
  arrays_.results = slot.results;
  arrays_.tops = slot.tops;
}

void Sampler::launch(Activation logits, std::int32_t padded_rows, bool greedy) {
  assert(logits.dtype == DType::kF32 && logits.columns == limits_.vocabulary);
  if (greedy) {
    pick_greedy(launch_, arrays_, logits, padded_rows);
    return;
  }
  scan_rows(launch_, arrays_, logits, padded_rows);
  pick_tokens(launch_, arrays_, logits, padded_rows);
}

Sampler::Round Sampler::mark() {
  HANGAR_CUDA(cudaEventRecord(slots_[slot_].done, launch_.stream));
  return slot_;
}

bool Sampler::ready(Round round) const {
  const cudaError_t state = cudaEventQuery(slots_[round].done);
  if (state == cudaErrorNotReady) return false;
  HANGAR_CUDA(state);
  return true;
}

void Sampler::finish(Round round, std::span<Sampled> out) {
  const Slot& slot = slots_[round];
  assert(static_cast<std::int32_t>(out.size()) == slot.rows);
  HANGAR_CUDA(cudaEventSynchronize(slot.done));
  const auto* params = reinterpret_cast<const RowParams*>(slot.plan);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const SampledRow& result = slot.results[i];
    out[i].token = result.token;
    out[i].has_logprob = (params[i].flags & kRowScored) != 0;
    out[i].logprob = result.logprob;
    const TokenLogprob* tops = slot.tops + params[i].first_top;
    out[i].top.assign(tops, tops + result.tops);
  }
}

}  // namespace hangar::cuda
