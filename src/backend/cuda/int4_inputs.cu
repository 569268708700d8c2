#include "backend/cuda/int4_inputs.h"

#include <algorithm>

#include "backend/cuda/int4_few_inputs.cuh"
#include "backend/cuda/quantize_pass.cuh"
#include "backend/cuda/wgmma_registers.cuh"

namespace hangar::cuda {
namespace {

constexpr int kLanes = 16;  // that share a block of 128 columns, 8 each
constexpr std::size_t kAlign = 256;

constexpr std::size_t round_up(std::size_t value, std::size_t to) {
  return (value + to - 1) / to * to;
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

// Eight columns; zeros behind the end.
template <typename Source>
__device__ __forceinline__ void read(const Source& x, std::int64_t row, int column, int columns,
                                     float (&values)[8], float& squares) {
#pragma unroll
  for (float& value : values) value = 0.0F;
  if (column >= columns) return;
  typename Source::template Raw<8> raw;
  x.template load<8>(row, column, raw);
  x.template values<8>(raw, column, values, squares);
}

// A block for each row; sixteen lanes a block of columns. What is read once is kept as far as there
// are registers, the rest read again.
template <typename Source, int kGroups>
__global__ void __launch_bounds__(kMostQuantizeThreads)
    few_kernel(std::uint8_t* out, Source x, int columns, int blocks, float eps) {
  constexpr int kKept = 2;
  constexpr int kBlockBytes = int4_few_block_bytes(kGroups);
  const int step = static_cast<int>(blockDim.x) * 8;
  const int first = static_cast<int>(threadIdx.x) * 8;
  const int row = static_cast<int>(blockIdx.x);
  const int end = blocks * static_cast<int>(kInt4Columns);
  begin_reading();
  float squares = 0.0F;
  float held[kKept][8];
#pragma unroll
  for (int k = 0; k < kKept; ++k) read(x, row, first + k * step, columns, held[k], squares);
  float values[8];
  float norm = 1.0F;
  if constexpr (Source::kNormed) {
    for (int column = first + kKept * step; column < end; column += step) {
      read(x, row, column, columns, values, squares);
    }
    norm = 1.0F / sqrtf(join_over_block(squares, Add{}, 0.0F) / static_cast<float>(columns) + eps);
  }
  const auto put = [&](int column, const float(&numbers)[8]) {
    // All lanes of a block of columns are here, or none.
    float most = 0.0F;
#pragma unroll
    for (int i = 0; i < 8; ++i) most = fmaxf(most, fabsf(numbers[i]));
    most = join_lanes<kLanes>(most, Most{});
    const float to_int = few_factor(most);
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
      *few_word(block, row, 2 * lane + half) = pack_codes(codes + 4 * half);
    }
    const float scale = norm * (most / 127.0F);
    if (lane == 0) *few_scale(block, row) = scale;
    if (lane % kSumLanes == 0) *few_sum(block, row, lane / kSumLanes) = scale * group_sum;
  };
#pragma unroll
  for (int k = 0; k < kKept; ++k) put(first + k * step, held[k]);
  const int turns = (end + step - 1) / step;
  for (int turn = kKept; turn < turns; ++turn) {
    const int column = first + turn * step;
    float again = 0.0F;
    read(x, row, column, columns, values, again);
    put(column, values);
  }
}

template <int kGroups>
struct ManyTarget {
  std::uint8_t* data;
  std::int64_t stride;
  float* scales;
  float* sums;
  int width;
  int blocks;

  struct Row {
    std::uint8_t* data;
    float* to_scale;
    float* sums;
    int width;
    int groups;

    // Of columns 32 g or 128 g and on.
    __device__ __forceinline__ void put_sum(int g, float sum) const {
      sums[g / kInt4SumFour * std::int64_t{width} * kInt4SumFour + g % kInt4SumFour] =
          wgmma::tf32(sum);
    }
    // And zeros as sums of groups that only fill a four up.
    __device__ void scale(float value) const {
      *to_scale = value;
      const int fours = int4_sum_fours(kGroups, groups / kGroups);
      for (int g = groups; g < fours * kInt4SumFour; ++g) put_sum(g, 0.0F);
    }
    template <int kWidth>
    __device__ __forceinline__ void put(int column, const float (&values)[kWidth], float factor,
                                        bool there) const {
      static_assert(kWidth == 8);
      const uint2 codes = to_e4m3(values, factor);
      std::uint32_t halves[4];
      e4m3_to_halves(codes.x, halves[0], halves[1]);
      e4m3_to_halves(codes.y, halves[2], halves[3]);
      float sum = 0.0F;
#pragma unroll
      for (const std::uint32_t& pair : halves) {
        const float2 both = __half22float2(reinterpret_cast<const __half2&>(pair));
        sum += both.x + both.y;
      }
      constexpr int kSumLanes = kLanes / kGroups;
      sum = join_lanes<kSumLanes>(sum, Add{});
      if (!there) return;
      *reinterpret_cast<uint2*>(data + column) = codes;
      const int lane = column % 128 / 8;
      if (lane % kSumLanes == 0) put_sum(column / 128 * kGroups + lane / kSumLanes, sum);
    }
  };
  __device__ Row row(std::int64_t r) const {
    const int fours = int4_sum_fours(kGroups, blocks);
    return {data + r * stride, scales + r,
            sums + (r / width * fours * width + r % width) * kInt4SumFour, width, blocks * kGroups};
  }
};

void check(const Activation& x, NormOfInputs norm) {
  if (wide(x, x.columns) && (norm.weight == nullptr || wide(norm.weight)) && x.columns % 32 == 0)
    return;
  throw std::invalid_argument("inputs of 4-bit weights: rows at 16 bytes, columns by 32");
}

// f(source, sums of a block).
template <typename Run>
void with_kinds(const Activation& x, NormOfInputs norm, int groups, Run&& run) {
  check(x, norm);
  with_type(x.dtype, [&](auto type) {
    using X = typename decltype(type)::Type;
    const auto with_groups = [&](auto source) {
      if (groups == 1) return run(source, std::integral_constant<int, 1>{});
      run(source, std::integral_constant<int, 4>{});
    };
    if (norm.weight != nullptr) return with_groups(Normed<X>{{Rows<X>(x)}, norm.weight});
    with_groups(Plain<X>{Rows<X>(x)});
  });
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
  const auto blocks = static_cast<int>(int4_column_blocks(x.columns));
  const int threads = std::min((blocks * kLanes + 31) / 32 * 32, kMostQuantizeThreads);
  with_kinds(x, norm, groups, [&](auto source, auto count) {
    launch_kernel(launch, few_kernel<decltype(source), decltype(count)::value>,
                  dim3(static_cast<unsigned>(x.rows)), dim3(static_cast<unsigned>(threads)), 0,
                  static_cast<std::uint8_t*>(out), source, static_cast<int>(x.columns), blocks,
                  norm.eps);
  });
}

void quantize_many(const Launch& launch, const Int4Rows& out, Activation x, int groups,
                   NormOfInputs norm) {
  if (x.rows == 0) return;
  const auto blocks = static_cast<int>(int4_column_blocks(x.columns));
  with_kinds(x, norm, groups, [&](auto source, auto count) {
    const ManyTarget<decltype(count)::value> target{
        static_cast<std::uint8_t*>(out.data),     out.stride, out.scales, out.sums,
        static_cast<int>(int4_tile_rows(x.rows)), blocks};
    run_quantize<8>(launch, target, source, x.rows, x.columns, blocks * kInt4Columns, norm.eps);
  });
}

}  // namespace hangar::cuda
