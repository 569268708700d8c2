#include "backend/cuda/weights_transfer.h"

#include <cuda_runtime.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <span>
#include <utility>

#include "backend/cuda/int4_pack.h"
#include "backend/cuda/launch.h"
#include "backend/cuda/quantize.h"
#include "backend/cuda/weights_unpack.h"
#include "base/clock.h"
#include "base/processors.h"
#include "base/units.h"
#include "quant/view_rows.h"
#include "tensor/float16.h"

namespace hangar::cuda {
namespace {

// A disk wants many requests at once, on however few processors; more than so many gain nothing.
constexpr int kLeastThreads = 8;
constexpr int kMostThreads = 16;

enum class Way : std::uint8_t { kAsStored, kUnpackedOnCard, kWidenedOnHost };

// As what a weight comes to the card.
DType brought_as(const TensorView& view, DType type) {
  if (type != DType::kF8E4M3 && type != DType::kInt4G32) return type;
  const bool own = type == DType::kF8E4M3 ? is_row_fp8(view) : packed_form(view).has_value();
  if (own) return view.dtype;
  const bool plain = !view.input_order && !view.scales;
  const bool two_bytes = view.dtype == DType::kBF16 || view.dtype == DType::kF16;
  return plain && two_bytes ? view.dtype : DType::kF32;
}

Way way_of(const TensorView& view, DType type) {
  if (type == DType::kF8E4M3) return Way::kAsStored;  // its scales go another way
  if (view.input_order || view.scales) return Way::kWidenedOnHost;
  if (view.dtype == type) return Way::kAsStored;
  return unpacks_on_card(view.dtype) ? Way::kUnpackedOnCard : Way::kWidenedOnHost;
}

void round_to(DType type, const float* from, std::byte* to, std::int64_t count) {
  const auto elements = static_cast<std::size_t>(count);
  if (type == DType::kF32) {
    std::memcpy(to, from, elements * sizeof(float));
    return;
  }
  auto* out = reinterpret_cast<std::uint16_t*>(to);
  if (type == DType::kBF16) {
    for (std::size_t i = 0; i < elements; ++i) out[i] = float_to_bfloat16(from[i]);
  } else {
    for (std::size_t i = 0; i < elements; ++i) out[i] = float_to_half(from[i]);
  }
}

void widen(const TensorView& rows, DType type, std::byte* to) {
  std::vector<float> row(static_cast<std::size_t>(rows.columns()));
  for (std::int64_t r = 0; r < rows.rows(); ++r, to += row_bytes(type, rows.columns())) {
    dequantize_view_row(rows, r, row.data());
    round_to(type, row.data(), to, rows.columns());
  }
}

}  // namespace

bool is_row_fp8(const TensorView& view) {
  if (view.dtype != DType::kF8E4M3 || view.input_order) return false;
  return !view.scales || view.scales->block_columns >= view.columns();
}

// A thread's own: a stream, two pinned buffers that take turns, and, where weights are made of what
// comes over, a buffer on the card.
class WeightTransfer::Worker {
 public:
  Worker() { HANGAR_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  ~Worker() {
    (void)cudaStreamSynchronize(stream_);
    for (const Buffer& buffer : buffers_) {
      if (buffer.fetched != nullptr) (void)cudaEventDestroy(buffer.fetched);
      (void)cudaFreeHost(buffer.data);
    }
    (void)cudaFree(on_card_);
    (void)cudaStreamDestroy(stream_);
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Returns when the card has been told to fetch it.
  Status move(const Piece& piece) {
    const Task& task = *piece.task;
    const std::int64_t columns = task.view.columns();
    const std::size_t brought_row = row_bytes(task.brought, columns);
    const TensorView rows = slice_rows(task.view, piece.first_row, piece.rows);
    std::byte* to = task.made_there ? buffer_on_card()
                                    : static_cast<std::byte*>(task.place.data) +
                                          static_cast<std::size_t>(piece.first_row) * brought_row;
    Buffer& buffer = next_buffer();
    const Way way = way_of(task.view, task.brought);
    if (way == Way::kWidenedOnHost) {
      HANGAR_CHECK_OK(widen_rows(task, rows, buffer.data));
    } else {
      HANGAR_CHECK_OK(fetch(task, rows.data, buffer.data));
    }
    if (way == Way::kUnpackedOnCard) {
      unpack(buffer.data, rows.dtype, to, task.brought, rows.elements(), stream_);
    } else {
      HANGAR_CUDA(cudaMemcpyAsync(to, buffer.data,
                                  static_cast<std::size_t>(piece.rows) * brought_row,
                                  cudaMemcpyHostToDevice, stream_));
    }
    HANGAR_CUDA(cudaEventRecord(buffer.fetched, stream_));
    if (task.made_there) make_there(piece, to);
    return {};
  }

  void finish() { HANGAR_CUDA(cudaStreamSynchronize(stream_)); }

 private:
  struct Buffer {
    std::byte* data = nullptr;
    cudaEvent_t fetched = nullptr;
  };

  // What the stream has brought, in fewer bits to where they belong.
  void make_there(const Piece& piece, void* brought) {
    const Task& task = *piece.task;
    const std::int64_t columns = task.view.columns();
    Launch launch;
    launch.stream = stream_;
    if (task.place.type == DType::kInt4G32) return make_strips(launch, piece, brought);
    const QuantizedRows out{static_cast<std::byte*>(task.place.data) + piece.first_row * columns,
                            columns, task.place.scales + piece.first_row};
    quantize_rows(launch, out, Activation{brought, piece.rows, columns, task.brought});
  }

  void make_strips(const Launch& launch, const Piece& piece, void* brought) {
    const Task& task = *piece.task;
    const Int4Form form = task.place.int4;
    const std::int64_t columns = task.view.columns();
    std::byte* strips =
        static_cast<std::byte*>(task.place.data) + int4_bytes(form, piece.first_row, columns);
    if (packed_form(task.view)) {
      pack_int4(launch, form, strips, brought, task.brought, piece.rows, columns);
    } else {
      quantize_int4(launch, form, strips, Activation{brought, piece.rows, columns, task.brought});
    }
  }

  // The stream's order keeps one piece from overwriting the one before.
  std::byte* buffer_on_card() {
    if (on_card_ == nullptr) HANGAR_CUDA(cudaMalloc(&on_card_, kPieceBytes));
    return static_cast<std::byte*>(on_card_);
  }

  // One that the card has done with.
  Buffer& next_buffer() {
    Buffer& buffer = buffers_[at_];
    at_ = (at_ + 1) % std::size(buffers_);
    if (buffer.fetched != nullptr) {
      HANGAR_CUDA(cudaEventSynchronize(buffer.fetched));
      return buffer;
    }
    void* data = nullptr;
    HANGAR_CUDA(cudaHostAlloc(&data, kPieceBytes, cudaHostAllocDefault));
    buffer.data = static_cast<std::byte*>(data);
    HANGAR_CUDA(cudaEventCreateWithFlags(&buffer.fetched, cudaEventDisableTiming));
    return buffer;
  }

  Status fetch(const Task& task, std::span<const std::byte> bytes, std::byte* to) {
    if (task.file) {
      return reader_.read(task.file, task.file->place_of(bytes.data()), {to, bytes.size()});
    }
    std::memcpy(to, bytes.data(), bytes.size());
    return {};
  }

  Status widen_rows(const Task& task, TensorView rows, std::byte* to) {
    if (task.file) {
      stored_.resize(rows.data.size());
      HANGAR_CHECK_OK(fetch(task, rows.data, stored_.data()));
      rows.data = stored_;
    }
    widen(rows, task.brought, to);
    return {};
  }

  cudaStream_t stream_ = nullptr;
  void* on_card_ = nullptr;
  Buffer buffers_[2];
  std::size_t at_ = 0;
  std::vector<std::byte> stored_;
  WeightFileReader reader_;
};

WeightTransfer::WeightTransfer(int threads)
    : most_threads_(threads > 0 ? threads
                                : std::clamp(available_processors(), kLeastThreads, kMostThreads)) {
  HANGAR_CUDA(cudaGetDevice(&device_));
}

WeightTransfer::~WeightTransfer() {
  {
    const std::scoped_lock lock(mutex_);
    queue_.clear();
  }
  stop();
}

// The threads end when the queue is empty.
void WeightTransfer::stop() {
  {
    const std::scoped_lock lock(mutex_);
    last_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  last_ = false;
}

Status WeightTransfer::add(const TensorView& view, std::shared_ptr<const WeightFile> file,
                           const WeightPlace& place) {
  const bool strips = place.type == DType::kInt4G32;
  const DType brought = brought_as(view, place.type);
  const std::size_t most =
      std::max(row_bytes(view.dtype, view.columns()), row_bytes(brought, view.columns()));
  const std::size_t longest =
      strips ? most * kInt4Strip : std::max(most, row_bytes(DType::kF32, view.columns()));
  if (longest > kPieceBytes) {
    return make_error(ErrorCode::kUnsupported, "tensor {}: rows of {} numbers are too long",
                      view.name, view.columns());
  }
  auto task = std::make_shared<Task>();
  task->view = view;
  task->file = std::move(file);
  task->place = place;
  task->brought = brought;
  task->made_there = strips || brought != place.type;
  task->piece_rows = static_cast<std::int64_t>(kPieceBytes / most);
  if (strips) task->piece_rows -= task->piece_rows % kInt4Strip;
  const std::int64_t pieces = (view.rows() + task->piece_rows - 1) / task->piece_rows;

  std::unique_lock lock(mutex_);
  if (failure_) return tl::unexpected<Error>(*failure_);
  if (added_bytes_ == 0) begin_us_ = steady_now_us();
  added_bytes_ += view.data.size();
  queue_.push_back(task);
  for (std::int64_t i = 0; i < pieces && std::ssize(threads_) < most_threads_; ++i) {
    threads_.emplace_back([this] { work(); });
  }
  changed_.notify_all();
  if (task->file) return {};
  changed_.wait(lock, [&] {
    return task->under_way == 0 && (failure_ || task->next_row == task->view.rows());
  });
  if (failure_) return tl::unexpected<Error>(*failure_);
  return {};
}

Status WeightTransfer::finish() {
  const auto threads = threads_.size();
  stop();
  if (failure_) return tl::unexpected<Error>(*failure_);
  if (added_bytes_ > 0) {
    const std::int64_t us = std::max<std::int64_t>(1, steady_now_us() - begin_us_);
    spdlog::debug("weights: {} read and moved to the card in {} by {} threads, {:.2f} GB/s",
                  format_bytes(added_bytes_), format_duration(us), threads,
                  static_cast<double>(added_bytes_) * 1e-3 / static_cast<double>(us));
  }
  added_bytes_ = 0;
  return {};
}

void WeightTransfer::work() {
  try {
    HANGAR_CUDA(cudaSetDevice(device_));
    Worker worker;
    while (const std::optional<Piece> piece = next_piece()) {
      Status moved;
      try {
        moved = worker.move(*piece);
      } catch (const std::exception& error) {
        moved = make_error(ErrorCode::kInternal, "{}", error.what());
      }
      if (!moved) fail(std::move(moved.error()));
      done(*piece);
    }
    worker.finish();
  } catch (const std::exception& error) {
    fail({ErrorCode::kInternal, error.what()});
  }
}

std::optional<WeightTransfer::Piece> WeightTransfer::next_piece() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !queue_.empty() || last_; });
  if (queue_.empty()) return std::nullopt;
  const std::shared_ptr<Task> task = queue_.front();
  Piece piece{task, task->next_row, std::min(task->piece_rows, task->view.rows() - task->next_row)};
  task->next_row += piece.rows;
  ++task->under_way;
  if (task->next_row == task->view.rows()) queue_.pop_front();
  return piece;
}

void WeightTransfer::done(const Piece& piece) {
  const std::scoped_lock lock(mutex_);
  if (--piece.task->under_way == 0) changed_.notify_all();
}

void WeightTransfer::fail(Error error) {
  const std::scoped_lock lock(mutex_);
  if (!failure_) failure_ = std::move(error);
  queue_.clear();
  changed_.notify_all();
}

}  // namespace hangar::cuda
