#include "backend/cuda/transfer.h"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <vector>

#include "tensor/float16.h"

namespace hangar::cuda {
namespace {

// Rows of `element` bytes a number between memory without gaps and x's.
void move_rows(Device& device, Activation x, void* host, std::size_t element, bool to_card) {
  if (x.rows == 0 || x.columns == 0) return;
  const std::size_t width = static_cast<std::size_t>(x.columns) * element;
  const std::size_t pitch = static_cast<std::size_t>(x.row_stride()) * element;
  const auto rows = static_cast<std::size_t>(x.rows);
  if (to_card) {
    HANGAR_CUDA(cudaMemcpy2DAsync(x.data, pitch, host, width, width, rows, cudaMemcpyHostToDevice,
                                  device.stream()));
  } else {
    HANGAR_CUDA(cudaMemcpy2DAsync(host, width, x.data, pitch, width, rows, cudaMemcpyDeviceToHost,
                                  device.stream()));
  }
  device.synchronize();
}

}  // namespace

void write_activation(Device& device, Activation x, std::span<const float> host) {
  assert(std::ssize(host) == x.rows * x.columns);
  if (x.dtype == DType::kF32) {
    move_rows(device, x, const_cast<float*>(host.data()), sizeof(float), true);
    return;
  }
  std::vector<std::uint16_t> rounded(host.size());
  std::ranges::transform(host, rounded.begin(), [&](float value) {
    return x.dtype == DType::kF16 ? float_to_half(value) : float_to_bfloat16(value);
  });
  move_rows(device, x, rounded.data(), sizeof(std::uint16_t), true);
}

void read_activation(Device& device, Activation x, std::span<float> host) {
  assert(std::ssize(host) == x.rows * x.columns);
  if (x.dtype == DType::kF32) {
    move_rows(device, x, host.data(), sizeof(float), false);
    return;
  }
  std::vector<std::uint16_t> stored(host.size());
  move_rows(device, x, stored.data(), sizeof(std::uint16_t), false);
  std::ranges::transform(stored, host.begin(), [&](std::uint16_t bits) {
    return x.dtype == DType::kF16 ? half_to_float(bits) : bfloat16_to_float(bits);
  });
}

}  // namespace hangar::cuda
