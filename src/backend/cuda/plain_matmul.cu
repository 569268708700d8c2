// Few rows without Hopper's copy engine, and products of any size: plain_matmul.h says which.
#include <cstddef>

#include "backend/cuda/plain_matmul.h"
#include "backend/cuda/plain_matmul_math.cuh"

namespace hangar::cuda {
namespace plain {
namespace {

constexpr int kDirectWarps = 8;
constexpr int kOutputs = 16;  // of a block

__device__ __forceinline__ void wait_for_earlier_kernels() {
#if __CUDA_ARCH__ >= 900
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
#endif
}

template <typename T>
__device__ __forceinline__ uint4 load_8_or_zero(const T* from, bool there) {
  if (!there) return uint4{0U, 0U, 0U, 0U};
  return __ldcs(reinterpret_cast<const uint4*>(from));
}

// A block: 16 rows of W; its warps take 32 columns each in turn.
template <typename T>
__global__ void __launch_bounds__(32 * kDirectWarps)
    direct_kernel(const __grid_constant__ Product product) {
  constexpr int kInFlight = 4;
  __shared__ float partials[kDirectWarps][kMostDirectRows][kOutputs];
  wait_for_earlier_kernels();
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int rows = static_cast<int>(product.rows);
  const std::int64_t low_output = std::int64_t{blockIdx.x} * kOutputs + lane / 4;
  const bool has_low = low_output < product.outputs;
  const bool has_high = low_output + 8 < product.outputs;
  const bool has_row = lane / 4 < rows;
  const T* low_row = static_cast<const T*>(product.weight) + low_output * product.columns;
  const T* high_row = low_row + 8 * product.columns;
  const T* x_row = static_cast<const T*>(product.x) + lane / 4 * product.x_stride;
  float sums[2][4] = {};
  for (std::int64_t first = 32 * warp; first < product.columns;
       first += 32 * kDirectWarps * kInFlight) {
    uint4 low[kInFlight];
    uint4 high[kInFlight];
    uint4 x[kInFlight];
#pragma unroll
    for (int i = 0; i < kInFlight; ++i) {
      const std::int64_t column = first + 32 * kDirectWarps * i + 8 * (lane % 4);
      const bool there = column < product.columns;
      low[i] = load_8_or_zero(low_row + column, there && has_low);
      high[i] = load_8_or_zero(high_row + column, there && has_high);
      x[i] = there && has_row ? __ldcg(reinterpret_cast<const uint4*>(x_row + column))
                              : uint4{0U, 0U, 0U, 0U};
    }
#pragma unroll
    for (int i = 0; i < kInFlight; ++i) multiply_16x8<T>(sums[i % 2], low[i], high[i], x[i]);
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    partials[warp][2 * (lane % 4) + i % 2][lane / 4 + i / 2 * 8] = sums[0][i] + sums[1][i];
  }
  __syncthreads();
  const int row = static_cast<int>(threadIdx.x) / kOutputs;
  const std::int64_t output =
      std::int64_t{blockIdx.x} * kOutputs + static_cast<int>(threadIdx.x) % kOutputs;
  if (row >= rows || output >= product.outputs) return;
  float sum = 0.0F;
#pragma unroll
  for (int i = 0; i < kDirectWarps; ++i) sum += partials[i][row][threadIdx.x % kOutputs];
  put<T>(product, row, output, sum, old_value(product, row, output));
}

constexpr int kScalarWarps = 4;
constexpr int kScalarRows = 8;

// A warp: one row of W and up to 8 of x, number by number.
template <typename T, typename X, typename W>
__global__ void __launch_bounds__(32 * kScalarWarps)
    scalar_kernel(const __grid_constant__ Product product) {
  wait_for_earlier_kernels();
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const std::int64_t output =
      std::int64_t{blockIdx.x} * kScalarWarps + static_cast<int>(threadIdx.x) / 32;
  if (output >= product.outputs) return;
  const std::int64_t first_row = std::int64_t{blockIdx.y} * kScalarRows;
  const W* weight = static_cast<const W*>(product.weight) + output * product.columns;
  const X* x = static_cast<const X*>(product.x) + first_row * product.x_stride;
  const auto rows = static_cast<int>(
      product.rows - first_row < kScalarRows ? product.rows - first_row : kScalarRows);
  float sums[kScalarRows] = {};
  for (std::int64_t column = lane; column < product.columns; column += 32) {
    const float w = to_float(weight[column]);
#pragma unroll
    for (int r = 0; r < kScalarRows; ++r) {
      if (r < rows) sums[r] = fmaf(w, to_float(x[r * product.x_stride + column]), sums[r]);
    }
  }
#pragma unroll
  for (int r = 0; r < kScalarRows; ++r) {
#pragma unroll
    for (int lanes = 16; lanes > 0; lanes /= 2) {
      sums[r] += __shfl_xor_sync(0xFFFFFFFFU, sums[r], lanes);
    }
    if (lane == r && r < rows) {
      const float old = old_value(product, first_row + r, output);
      if constexpr (sizeof(X) == 1) {
        sums[r] *= product.weight_scales[output] * __ldcg(product.x_scales + first_row + r);
      }
      put<T>(product, first_row + r, output, sums[r], old);
    }
  }
}

template <typename T>
void launch_scalar(const Launch& launch, const Product& product) {
  const auto kernel = product.weight_type == DType::kF8E4M3
                          ? scalar_kernel<T, __nv_fp8_e4m3, __nv_fp8_e4m3>
                      : product.weight_type == DType::kF32 ? scalar_kernel<T, T, float>
                                                           : scalar_kernel<T, T, T>;
  const auto blocks = static_cast<unsigned>((product.outputs + kScalarWarps - 1) / kScalarWarps);
  const auto row_blocks = static_cast<unsigned>((product.rows + kScalarRows - 1) / kScalarRows);
  launch_kernel(launch, kernel, dim3(blocks, row_blocks), dim3(32 * kScalarWarps), 0, product);
}

}  // namespace
}  // namespace plain

bool can_multiply_directly(const Product& product) {
  return product.weight_type == product.type && product.rows <= kMostDirectRows &&
         rows_aligned(product.weight, product.type, product.columns) &&
         rows_aligned(product.x, product.type, product.x_stride);
}

void direct_matmul(const Launch& launch, const Product& product) {
  const auto kernel = product.type == DType::kBF16 ? plain::direct_kernel<__nv_bfloat16>
                                                   : plain::direct_kernel<__half>;
  const auto blocks =
      static_cast<unsigned>((product.outputs + plain::kOutputs - 1) / plain::kOutputs);
  launch_kernel(launch, kernel, dim3(blocks), dim3(32 * plain::kDirectWarps), 0, product);
}

void scalar_matmul(const Launch& launch, const Product& product) {
  if (product.type == DType::kBF16) {
    plain::launch_scalar<__nv_bfloat16>(launch, product);
  } else {
    plain::launch_scalar<__half>(launch, product);
  }
}

}  // namespace hangar::cuda
