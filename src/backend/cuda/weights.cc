#include "backend/cuda/weights.h"

#include <algorithm>
#include <cstring>

#include "backend/checks.h"
#include "backend/cuda/launch.h"
#include "backend/host_memory.h"
#include "quant/view_rows.h"
#include "tensor/float16.h"

namespace hangar::cuda {
namespace {

constexpr std::size_t kBuffers = 4;
constexpr std::size_t kBufferBytes = std::size_t{16} << 20U;
// Of a weight's place: what bulk copies and 16-byte loads want, and no more, so that weights of
// whole multiples of it lie one behind the other.
constexpr std::size_t kAlignmentBytes = 16;

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

// Rows [begin, end) of the view in the weight's form.
void convert_rows(const TensorView& view, DType type, std::int64_t begin, std::int64_t end,
                  std::byte* to) {
  const std::int64_t columns = view.columns();
  const std::size_t out_bytes = row_bytes(type, columns);
  if (view.dtype == type && !view.input_order && !view.scales) {
    std::memcpy(to, view.data.data() + static_cast<std::size_t>(begin) * out_bytes,
                static_cast<std::size_t>(end - begin) * out_bytes);
    return;
  }
  std::vector<float> row(static_cast<std::size_t>(columns));
  for (std::int64_t r = begin; r < end; ++r, to += out_bytes) {
    dequantize_view_row(view, r, row.data());
    round_to(type, row.data(), to, columns);
  }
}

}  // namespace

bool lie_together(std::span<const CudaWeight* const> weights) {
  for (std::size_t i = 1; i < weights.size(); ++i) {
    const CudaWeight& before = *weights[i - 1];
    const CudaWeight& here = *weights[i];
    if (here.columns != before.columns || here.dtype != before.dtype) return false;
    if (here.layout != WeightForm::kDense || before.layout != WeightForm::kDense) return false;
    const std::size_t bytes =
        row_bytes(before.dtype, before.columns) * static_cast<std::size_t>(before.rows);
    if (static_cast<const std::byte*>(before.data) + bytes != here.data) return false;
  }
  return true;
}

WeightLoader::WeightLoader(TakeMemory take, DType type, int threads)
    : take_(std::move(take)), type_(type), pool_(threads) {
  HANGAR_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
}

WeightLoader::~WeightLoader() {
  if (stream_ != nullptr) (void)cudaStreamSynchronize(stream_);
  for (const Buffer& buffer : buffers_) {
    (void)cudaEventDestroy(buffer.copied);
    (void)cudaFreeHost(buffer.data);
  }
  if (stream_ != nullptr) (void)cudaStreamDestroy(stream_);
}

Result<CudaWeightPtr> WeightLoader::make_empty(std::int64_t rows, std::int64_t columns,
                                               std::string_view name) const {
  auto weight = std::make_unique<CudaWeight>();
  weight->rows = rows;
  weight->columns = columns;
  weight->layout = rows == 1 ? WeightForm::kVector : WeightForm::kDense;
  weight->dtype = rows == 1 ? DType::kF32 : type_;
  weight->form = dtype_name(weight->dtype);
  const auto bytes =
      checked_product({rows, columns, rows == 1 ? std::int64_t{4} : std::int64_t{2}});
  weight->data = bytes ? take_(*bytes, kAlignmentBytes) : nullptr;
  if (weight->data == nullptr) {
    return make_error(ErrorCode::kResourceExhausted,
                      "tensor {}: no room for its {} x {} numbers on the card", name, rows,
                      columns);
  }
  weight->memory_bytes = *bytes;
  return weight;
}

// Waits until its last copy is done.
WeightLoader::Buffer& WeightLoader::next_buffer() {
  if (buffers_.size() < kBuffers) {
    Buffer buffer;
    HANGAR_CUDA(cudaEventCreateWithFlags(&buffer.copied, cudaEventDisableTiming));
    void* data = nullptr;
    const cudaError_t made = cudaHostAlloc(&data, kBufferBytes, cudaHostAllocDefault);
    if (made != cudaSuccess) (void)cudaEventDestroy(buffer.copied);
    HANGAR_CUDA(made);
    buffer.data = static_cast<std::byte*>(data);
    buffers_.push_back(buffer);
    return buffers_.back();
  }
  Buffer& buffer = buffers_[at_++ % kBuffers];
  HANGAR_CUDA(cudaEventSynchronize(buffer.copied));
  return buffer;
}

void WeightLoader::copy_rows(const TensorView& view, const CudaWeight& weight) {
  const std::size_t bytes_a_row = row_bytes(weight.dtype, weight.columns);
  const auto most = static_cast<std::int64_t>(kBufferBytes / bytes_a_row);
  auto* to = static_cast<std::byte*>(weight.data);
  for (std::int64_t begin = 0; begin < weight.rows; begin += most) {
    const std::int64_t rows = std::min(most, weight.rows - begin);
    const std::size_t bytes = static_cast<std::size_t>(rows) * bytes_a_row;
    Buffer& buffer = next_buffer();
    // Pieces large enough that threads do not meet, small enough that all have some.
    const std::int64_t grain = std::max<std::int64_t>(
        1, static_cast<std::int64_t>((std::size_t{64} << 10U) / bytes_a_row));
    pool_.parallel_for(rows, grain, [&](std::int64_t first, std::int64_t end, int /*worker*/) {
      convert_rows(view, weight.dtype, begin + first, begin + end,
                   buffer.data + static_cast<std::size_t>(first) * bytes_a_row);
    });
    HANGAR_CUDA(cudaMemcpyAsync(to + static_cast<std::size_t>(begin) * bytes_a_row, buffer.data,
                                bytes, cudaMemcpyHostToDevice, stream_));
    HANGAR_CUDA(cudaEventRecord(buffer.copied, stream_));
  }
}

Result<CudaWeightPtr> WeightLoader::load(const TensorView& view) {
  HANGAR_CHECK_OK(check_weight_view(view));
  if (row_bytes(DType::kF32, view.columns()) > kBufferBytes) {
    return make_error(ErrorCode::kUnsupported, "tensor {}: rows of {} numbers are too long",
                      view.name, view.columns());
  }
  HANGAR_TRY(CudaWeightPtr weight, make_empty(view.rows(), view.columns(), view.name));
  if (view.dtype != weight->dtype) {
    weight->form += fmt::format(", from {}", dtype_name(view.dtype));
  }
  copy_rows(view, *weight);
  return weight;
}

Result<CudaWeightPtr> WeightLoader::make_random(std::int64_t rows, std::int64_t columns,
                                                std::uint64_t seed, float scale,
                                                RandomNumbers numbers) {
  HANGAR_TRY(CudaWeightPtr weight, make_empty(rows, columns, "made at random"));
  fill_random(weight->data, weight->dtype, rows * columns, seed, scale, numbers, stream_);
  return weight;
}

Result<CudaWeightPtr> WeightLoader::make_constant(std::int64_t rows, std::int64_t columns,
                                                  float value) {
  HANGAR_TRY(CudaWeightPtr weight, make_empty(rows, columns, "of one number"));
  fill_constant(weight->data, weight->dtype, rows * columns, value, stream_);
  return weight;
}

void WeightLoader::finish() {
  HANGAR_CUDA(cudaStreamSynchronize(stream_));
}

}  // namespace hangar::cuda
