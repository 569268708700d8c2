// Packing: a warp makes one block of a strip, in the lanes that will multiply it.
#include "backend/cuda/int4_pack.h"

#include <cuda_fp16.h>

#include <stdexcept>

#include "backend/cuda/element_io.cuh"
#include "backend/cuda/int4_lanes.cuh"
#include "backend/cuda/weights_forms.h"

namespace hangar::cuda {
namespace {

using forms::load;

// How a type stores a row: codes() of columns 16 half + 4 quad + 0 to 3 of a group of 32, a byte
// each; pair() of a group: scale below, zero or minimum above.
struct StoredQ4_0 {
  static __device__ std::uint32_t codes(const std::uint8_t* row, int group, int half, int quad) {
    const std::uint8_t* at = row + group * 18 + 2 + 4 * quad;  // at an even address
    const std::uint32_t both =
        load<std::uint16_t>(at) | (std::uint32_t{load<std::uint16_t>(at + 2)} << 16U);
    return both >> (4 * half) & kNibbles;
  }
  static __device__ std::uint32_t pair(const std::uint8_t* row, int group) {
    constexpr std::uint32_t kEight = 0x4800;  // of F16
    return load<std::uint16_t>(row + group * 18) | (kEight << 16U);
  }
};

struct StoredQ4_1 {
  static __device__ std::uint32_t codes(const std::uint8_t* row, int group, int half, int quad) {
    return load<std::uint32_t>(row + group * 20 + 4 + 4 * quad) >> (4 * half) & kNibbles;
  }
  static __device__ std::uint32_t pair(const std::uint8_t* row, int group) {
    return load<std::uint32_t>(row + group * 20);
  }
};

struct StoredInt4G32 {
  static __device__ std::uint32_t codes(const std::uint8_t* row, int group, int half, int quad) {
    return load<std::uint32_t>(row + group * 24 + 8 + 4 * quad) >> (4 * half) & kNibbles;
  }
  static __device__ std::uint32_t pair(const std::uint8_t* row, int group) {
    const std::uint8_t* block = row + group * 24;
    return pair_of(__float2half_rn(load<float>(block)),
                   __int2half_rn(load<std::int32_t>(block + 4)));
  }
};

struct StoredQ4K {
  static __device__ const std::uint8_t* block(const std::uint8_t* row, int group) {
    return row + group / 8 * 144;
  }
  static __device__ std::uint32_t codes(const std::uint8_t* row, int group, int half, int quad) {
    const std::uint8_t* at = block(row, group) + 16 + group % 8 / 2 * 32 + 16 * half + 4 * quad;
    return load<std::uint32_t>(at) >> (4 * (group % 2)) & kNibbles;
  }
  // Of groups `group` to `group` + 3, which a block of strips and half a block of the file are.
  static __device__ void super(const std::uint8_t* row, int group, std::uint32_t (&words)[3]) {
    const std::uint8_t* from = block(row, group);
    const auto low = load<std::uint32_t>(from + 4);     // of groups 0 to 3: scales, and two bits
    const auto middle = load<std::uint32_t>(from + 8);  // the same of minimums
    const auto high = load<std::uint32_t>(from + 12);   // of 4 to 7: four bits of both
    constexpr std::uint32_t kSix = 0x3F3F3F3F;
    constexpr std::uint32_t kTwo = 0x03030303;
    words[0] = load<std::uint32_t>(from);
    if (group % 8 == 0) {
      words[1] = low & kSix;
      words[2] = middle & kSix;
    } else {
      words[1] = (high & kNibbles) | ((low >> 6U & kTwo) << 4U);
      words[2] = (high >> 4U & kNibbles) | ((middle >> 6U & kTwo) << 4U);
    }
  }
};

// Of one row of a block; groups from `count` on are beyond the columns.
template <class Stored, Int4Form kForm>
__device__ void store_row_parameters(std::uint8_t* to, const std::uint8_t* row, int group,
                                     int count) {
  auto* out = reinterpret_cast<std::uint32_t*>(to);
  if constexpr (kForm == Int4Form::kSuper32) {
    std::uint32_t words[3];
    Stored::super(row, group, words);
#pragma unroll
    for (int i = 0; i < 3; ++i) out[i] = words[i];
  } else if constexpr (kForm == Int4Form::kZero128) {
    *out = Stored::pair(row, group);
  } else {
#pragma unroll
    for (int g = 0; g < kInt4Groups; ++g) out[g] = g < count ? Stored::pair(row, group + g) : 0;
  }
}

template <class Stored, Int4Form kForm>
__global__ void __launch_bounds__(kInt4Threads)
    pack_kernel(Int4Grid grid, std::uint8_t* strips, const std::uint8_t* stored,
                std::int64_t stored_row) {
  begin_reading();
  const Int4Lane lane(grid);
  if (!lane.any) return;
  const std::uint8_t* rows = stored + lane.first_row * stored_row;
  const std::uint8_t* low = rows + lane.row * stored_row;
  const std::uint8_t* high = low + 8 * stored_row;
  std::uint32_t words[kInt4Words];
#pragma unroll
  for (int word = 0; word < kInt4Words; ++word) {
    const int group = word / 2;
    if (group < lane.groups) {
      words[word] = Stored::codes(low, lane.first_group + group, word % 2, lane.quad) |
                    (Stored::codes(high, lane.first_group + group, word % 2, lane.quad) << 4U);
    } else {
      words[word] = 0;
    }
  }
  std::uint8_t* block = strips + lane.block * int4_block_bytes(kForm);
  store_words(block, lane, words);
  if (lane.index < kInt4Strip) {
    store_row_parameters<Stored, kForm>(
        block + kInt4NumberBytes + lane.index * int4_row_bytes(kForm),
        rows + lane.index * stored_row, lane.first_group, lane.groups);
  }
}

template <class Stored, Int4Form kForm>
void launch_pack(const Launch& launch, void* strips, const void* stored, DType type,
                 std::int64_t rows, std::int64_t columns) {
  const Int4Grid grid = int4_grid(rows, columns);
  launch_kernel(launch, pack_kernel<Stored, kForm>, int4_launch_grid(grid), dim3(kInt4Threads), 0,
                grid, static_cast<std::uint8_t*>(strips), static_cast<const std::uint8_t*>(stored),
                static_cast<std::int64_t>(row_bytes(type, columns)));
}

}  // namespace

std::optional<Int4Form> packed_form(const TensorView& view) {
  if (view.input_order || view.scales) return std::nullopt;
  switch (view.dtype) {
    case DType::kQ4_0:
      return Int4Form::kZero32;
    case DType::kQ4_1:
      return Int4Form::kMin32;
    case DType::kQ4_K:
      return Int4Form::kSuper32;
    case DType::kInt4G32: {
      const std::int64_t group = view.group_columns;
      const bool blocks_share = group > 0 && (group % kInt4Columns == 0 || group >= view.columns());
      return blocks_share ? Int4Form::kZero128 : Int4Form::kZero32;
    }
    default:
      return std::nullopt;
  }
}

void pack_int4(const Launch& launch, Int4Form form, void* strips, const void* stored, DType type,
               std::int64_t rows, std::int64_t columns) {
  check_int4_sizes(rows, columns);
  if (rows == 0 || columns == 0) return;
  if (type == DType::kQ4_0 && form == Int4Form::kZero32) {
    return launch_pack<StoredQ4_0, Int4Form::kZero32>(launch, strips, stored, type, rows, columns);
  }
  if (type == DType::kQ4_1 && form == Int4Form::kMin32) {
    return launch_pack<StoredQ4_1, Int4Form::kMin32>(launch, strips, stored, type, rows, columns);
  }
  if (type == DType::kQ4_K && form == Int4Form::kSuper32) {
    return launch_pack<StoredQ4K, Int4Form::kSuper32>(launch, strips, stored, type, rows, columns);
  }
  if (type == DType::kInt4G32 && form == Int4Form::kZero32) {
    return launch_pack<StoredInt4G32, Int4Form::kZero32>(launch, strips, stored, type, rows,
                                                         columns);
  }
  if (type == DType::kInt4G32 && form == Int4Form::kZero128) {
    return launch_pack<StoredInt4G32, Int4Form::kZero128>(launch, strips, stored, type, rows,
                                                          columns);
  }
  throw std::invalid_argument("a type that is not packed into this form of 4 bits");
}

}  // namespace hangar::cuda
