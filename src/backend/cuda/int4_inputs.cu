#include "backend/cuda/int4_inputs.h"

#include <cuda_fp8.h>

#include "backend/cuda/element_io.cuh"
#include "backend/cuda/wgmma_registers.cuh"

namespace hangar::cuda {
namespace {

constexpr int kMostThreads = 1024;
constexpr int kLanes = 16;  // that share a block of 128 columns, 8 each
constexpr std::size_t kAlign = 256;

constexpr std::size_t round_up(std::size_t value, std::size_t to) {
  return (value + to - 1) / to * to;
}

struct Source {
  const void* data;
  std::int64_t stride;
  int columns;
  int blocks;
  const float* norm;
  float eps;
};

// Eight columns, times the norm's weight; zeros behind the end.
template <typename X, bool kNormed>
__device__ __forceinline__ void read(const Source& x, std::int64_t row, int column,
                                     float (&values)[8], float& squares) {
#pragma unroll
  for (float& value : values) value = 0.0F;
  if (column >= x.columns) return;
  load<8>(static_cast<const X*>(x.data) + row * x.stride + column, values);
  if constexpr (kNormed) {
    float weights[8];
    load<8>(x.norm + column, weights);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      squares += values[i] * values[i];
      values[i] *= weights[i];
    }
  }
}

__device__ __forceinline__ float largest_of(const float (&values)[8]) {
  float most = 0.0F;
#pragma unroll
  for (int i = 0; i < 8; ++i) most = fmaxf(most, fabsf(values[i]));
  return most;
}

template <int kOver, typename Join>
__device__ __forceinline__ float join_lanes(float value, Join&& join) {
#pragma unroll
  for (int offset = kOver / 2; offset > 0; offset /= 2) {
    value = join(value, __shfl_xor_sync(~0U, value, offset));
  }
  return value;
}

struct Add {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Most {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

template <bool kNormed>
__device__ float norm_factor(const Source& x, float squares) {
  if constexpr (!kNormed) return 1.0F;
  return 1.0F /
         sqrtf(join_over_block(squares, Add{}, 0.0F) / static_cast<float>(x.columns) + x.eps);
}

// A block for each row; sixteen lanes a block of columns. What is read once is kept as far as there
// are registers, the rest read again.
template <typename X, bool kNormed, int kGroups>
__global__ void __launch_bounds__(kMostThreads) few_kernel(std::uint8_t* out, Source x) {
  constexpr int kKept = 2;
  constexpr int kBlockBytes = int4_few_block_bytes(kGroups);
  const int step = static_cast<int>(blockDim.x) * 8;
  const int first = static_cast<int>(threadIdx.x) * 8;
  const int row = static_cast<int>(blockIdx.x);
  const int end = x.blocks * static_cast<int>(kInt4Columns);
  begin_reading();
  float squares = 0.0F;
  float held[kKept][8];
#pragma unroll
  for (int k = 0; k < kKept; ++k) read<X, kNormed>(x, row, first + k * step, held[k], squares);
  float values[8];
  if constexpr (kNormed) {
    for (int column = first + kKept * step; column < end; column += step) {
      read<X, true>(x, row, column, values, squares);
    }
  }
  const float norm = norm_factor<kNormed>(x, squares);
  const auto put = [&](int column, const float(&numbers)[8]) {
    // All lanes of a block of columns are here, or none.
    const float most = join_lanes<kLanes>(largest_of(numbers), Most{});
    const float to_int = most > 0.0F ? 127.0F / most : 0.0F;
    int codes[8];
    int sum = 0;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      codes[i] = __float2int_rn(numbers[i] * to_int);
      sum += codes[i];
    }
    constexpr int kSumLanes = kLanes / kGroups;
    const float group_sum = join_lanes<kSumLanes>(static_cast<float>(sum), Add{});
    if (column >= end) return;
    std::uint8_t* block = out + static_cast<std::int64_t>(column / 128) * kBlockBytes;
    const int lane = column % 128 / 8;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int* four = codes + 4 * half;
      const unsigned low = __byte_perm(four[0], four[1], 0x0040);
      const unsigned high = __byte_perm(four[2], four[3], 0x0040);
      // As int4_place(): of columns 4 c of 128, quad c % 4, word c / 8 * 2 + c / 4 % 2.
      const int c = 2 * lane + half;
      const int word = c / 8 * 2 + c / 4 % 2;
      const int piece = word / 4 ^ (row & 1);  // so that rows share no bank
      *reinterpret_cast<unsigned*>(block + row * 128 + c % 4 * 32 + piece * 16 + word % 4 * 4) =
          __byte_perm(low, high, 0x5410);
    }
    auto* scales = reinterpret_cast<float*>(block + 1024);
    const float scale = norm * (most / 127.0F);
    if (lane == 0) scales[row] = scale;
    if (lane % kSumLanes == 0) scales[8 * (1 + lane / kSumLanes) + row] = scale * group_sum;
  };
#pragma unroll
  for (int k = 0; k < kKept; ++k) put(first + k * step, held[k]);
  const int turns = (end + step - 1) / step;
  for (int turn = kKept; turn < turns; ++turn) {
    const int column = first + turn * step;
    float again = 0.0F;
    read<X, kNormed>(x, row, column, values, again);
    put(column, values);
  }
}

struct ManyTarget {
  std::uint8_t* data;
  std::int64_t stride;
  float* scales;
  float* sums;
  int width;
};

template <typename X, bool kNormed, int kGroups>
__global__ void __launch_bounds__(kMostThreads) many_kernel(ManyTarget out, Source x) {
  constexpr int kKept = 2;
  constexpr float kLargest = 448.0F;  // of e4m3
  const int step = static_cast<int>(blockDim.x) * 8;
  const int first = static_cast<int>(threadIdx.x) * 8;
  const std::int64_t row = blockIdx.x;
  const int end = x.blocks * static_cast<int>(kInt4Columns);
  begin_reading();
  float squares = 0.0F;
  float most = 0.0F;
  float held[kKept][8];
#pragma unroll
  for (int k = 0; k < kKept; ++k) {
    read<X, kNormed>(x, row, first + k * step, held[k], squares);
    most = fmaxf(most, largest_of(held[k]));
  }
  float values[8];
  for (int column = first + kKept * step; column < end; column += step) {
    read<X, kNormed>(x, row, column, values, squares);
    most = fmaxf(most, largest_of(values));
  }
  most = join_over_block(most, Most{}, 0.0F);
  const float norm = norm_factor<kNormed>(x, squares);
  const float factor = most > 0.0F ? kLargest / most : 0.0F;
  if (threadIdx.x == 0) out.scales[row] = norm * (most / kLargest);
  const int fours = int4_sum_fours(kGroups, x.blocks);
  float* sums = out.sums + (row / out.width * fours * out.width + row % out.width) * kInt4SumFour;
  // Of columns 32 g or 128 g and on.
  const auto put_sum = [&](int g, float sum) {
    sums[g / kInt4SumFour * std::int64_t{out.width} * kInt4SumFour + g % kInt4SumFour] =
        wgmma::tf32(sum);
  };
  if (const int g = x.blocks * kGroups + static_cast<int>(threadIdx.x); g < fours * kInt4SumFour) {
    put_sum(g, 0.0F);
  }
  const auto put = [&](int column, const float(&numbers)[8]) {
    std::uint8_t bytes[8];
    float sum = 0.0F;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      bytes[i] = __nv_cvt_float_to_fp8(numbers[i] * factor, __NV_SATFINITE, __NV_E4M3);
      sum += __half2float(__half(__nv_cvt_fp8_to_halfraw(bytes[i], __NV_E4M3)));
    }
    constexpr int kSumLanes = kLanes / kGroups;
    sum = join_lanes<kSumLanes>(sum, Add{});
    if (column >= end) return;
    uint2 word;
    memcpy(&word, bytes, sizeof(word));
    *reinterpret_cast<uint2*>(out.data + row * out.stride + column) = word;
    const int lane = column % 128 / 8;
    if (lane % kSumLanes == 0) put_sum(column / 128 * kGroups + lane / kSumLanes, sum);
  };
#pragma unroll
  for (int k = 0; k < kKept; ++k) put(first + k * step, held[k]);
  const int turns = (end + step - 1) / step;
  for (int turn = kKept; turn < turns; ++turn) {
    const int column = first + turn * step;
    float again = 0.0F;
    read<X, kNormed>(x, row, column, values, again);
    put(column, values);
  }
}

Source source_of(const Activation& x, NormOfInputs norm) {
  if (!wide(x, x.columns) || (norm.weight != nullptr && !wide(norm.weight)) ||
      x.columns % 32 != 0) {
    throw std::invalid_argument("inputs of 4-bit weights: rows at 16 bytes, columns by 32");
  }
  return {x.data,
          x.row_stride(),
          static_cast<int>(x.columns),
          static_cast<int>(int4_column_blocks(x.columns)),
          norm.weight,
          norm.eps};
}

// f(type of x, whether normed, sums of a block).
template <typename Run>
void with_kinds(DType type, bool normed, int groups, Run&& run) {
  with_type(type, [&](auto x) {
    using X = typename decltype(x)::Type;
    const auto with_groups = [&](auto is_normed) {
      if (groups == 1) return run(X{}, is_normed, std::integral_constant<int, 1>{});
      run(X{}, is_normed, std::integral_constant<int, 4>{});
    };
    if (normed) return with_groups(std::true_type{});
    with_groups(std::false_type{});
  });
}

dim3 threads_for(const Source& x) {
  const int pieces = x.blocks * kLanes;
  return dim3(
      static_cast<unsigned>(pieces < kMostThreads ? (pieces + 31) / 32 * 32 : kMostThreads));
}

}  // namespace

std::size_t int4_input_bytes(std::int64_t rows, std::int64_t columns) {
  const auto blocks = static_cast<std::size_t>(int4_column_blocks(columns));
  const auto width = static_cast<std::size_t>(int4_tile_rows(rows));
  const auto all_rows = round_up(static_cast<std::size_t>(rows), width);
  const std::size_t few = blocks * int4_few_block_bytes(4);
  const std::size_t many = round_up(all_rows * blocks * 128, kAlign) +
                           round_up(all_rows * sizeof(float), kAlign) +
                           all_rows * (blocks * 4 + kInt4SumBlocks) * sizeof(float);
  return round_up(few > many ? few : many, kAlign);
}

Int4Rows int4_rows_in(void* room, std::int64_t rows, std::int64_t columns) {
  const std::int64_t stride = int4_column_blocks(columns) * kInt4Columns;
  const auto width = static_cast<std::size_t>(int4_tile_rows(rows));
  const auto all_rows = round_up(static_cast<std::size_t>(rows), width);
  auto* data = static_cast<std::byte*>(room);
  std::byte* scales = data + round_up(all_rows * static_cast<std::size_t>(stride), kAlign);
  std::byte* sums = scales + round_up(all_rows * sizeof(float), kAlign);
  return {data, stride, reinterpret_cast<float*>(scales), reinterpret_cast<float*>(sums)};
}

Int4Rows quantize_inputs(const Launch& launch, void* room, Activation x, int groups,
                         NormOfInputs norm) {
  if (takes_few(launch, x.rows)) {
    quantize_few(launch, room, x, groups, norm);
    return {.data = room};
  }
  const Int4Rows rows = int4_rows_in(room, x.rows, x.columns);
  quantize_many(launch, rows, x, groups, norm);
  return rows;
}

void quantize_few(const Launch& launch, void* out, Activation x, int groups, NormOfInputs norm) {
  if (x.rows == 0) return;
  const Source source = source_of(x, norm);
  with_kinds(x.dtype, norm.weight != nullptr, groups, [&](auto type, auto normed, auto count) {
    launch_kernel(launch,
                  few_kernel<decltype(type), decltype(normed)::value, decltype(count)::value>,
                  dim3(static_cast<unsigned>(x.rows)), threads_for(source), 0,
                  static_cast<std::uint8_t*>(out), source);
  });
}

void quantize_many(const Launch& launch, const Int4Rows& out, Activation x, int groups,
                   NormOfInputs norm) {
  if (x.rows == 0) return;
  const Source source = source_of(x, norm);
  const ManyTarget target{static_cast<std::uint8_t*>(out.data), out.stride, out.scales, out.sums,
                          static_cast<int>(int4_tile_rows(x.rows))};
  with_kinds(x.dtype, norm.weight != nullptr, groups, [&](auto type, auto normed, auto count) {
    launch_kernel(launch,
                  many_kernel<decltype(type), decltype(normed)::value, decltype(count)::value>,
                  dim3(static_cast<unsigned>(x.rows)), threads_for(source), 0, target, source);
  });
}

}  // namespace hangar::cuda
