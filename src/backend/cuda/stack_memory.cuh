// Where a stack's block has what in shared memory, and how many slots of W are left beside it.
//
// Promise: StackMemory: the places of the rows of x, of what warps have summed up, of a head's q, k
//   and v, of attention's parts, of barriers, of the pace (Pace), then of the ring's slots.
// Units: bytes from the start of dynamic shared memory.
// Threads: values.
#pragma once

#include "backend/cuda/stack.h"
#include "backend/cuda/stack_int4.cuh"
#include "backend/cuda/stack_rows.cuh"

namespace hangar::cuda::stack {

inline constexpr int kWarps = 16;  // that multiply
inline constexpr int kMultipliers = 32 * kWarps;
inline constexpr int kThreads = kMultipliers + 32;
// A slot is 16 rows of W, or keys and values of two blocks of 16 tokens.
inline constexpr int kSlotBytes = Int4Weights::kSlotBytes;
static_assert(kSlotBytes % 1024 == 0 && RowWeights<__half>::kSlotBytes <= kSlotBytes);
inline constexpr int kGroupBytes = Int4Weights::kGroupBytes;  // of x
static_assert(RowWeights<__half>::kGroupBytes == kGroupBytes);
// Of W in 16 rows: 128 columns a warp, in one slot or more (kSlots of Int4Weights, RowWeights).
inline constexpr int kUnitColumns = kWarps * 128;
inline constexpr int kHiddenUnits = kStackHidden / kUnitColumns;  // of a strip of x's columns
static_assert(kHiddenUnits == 2);
inline constexpr int kTokens = 16;  // of a block of keys and values
inline constexpr int kTokenBlockBytes = kTokens * kStackHeadDim * 2;
static_assert(4 * kTokenBlockBytes <= kSlotBytes);
inline constexpr int kMostSlots = 16;
inline constexpr int kLeastSlots = 4;
inline constexpr int kMostBytes = 227 << 10;
// Strips of a block: of q, k and v, and of x.
inline constexpr int kHeadStrips = (kStackGroup + 2) * kStackHeadDim / 16 / 16;
inline constexpr int kOwnStrips = kStackHidden / 16 / kStackBlocks;
static_assert(kOwnStrips == 2);
// Floats of a strip's sums: 16 rows of each warp, and so much that strips are apart by banks.
inline constexpr int kStripSums = kWarps * 16 + 16;
inline constexpr int kPartStride = 33;
// Floats of a head's outputs by one warp, and all that warps have of attention at its end.
inline constexpr int kPartRow = kStackHeadDim + 20;
inline constexpr int kWarpPartBytes = kWarps * kStackGroup * (kPartRow + 2) * 4;

struct StackMemory {
  int x = 0;        // of the products that a norm is before
  int other_x = 0;  // of the others
  int sums = 0;  // of strips: by turns here and there, since some warps still read the last ones;
                 // between q, k, v and the gate, of attention by warps
  int other_sums, heads, parts, squares, angles, barriers, pace, ring;
  int slots = 0;

  __host__ __device__ constexpr explicit StackMemory(const StackSizes& s) {
    const int widest = s.inner > kStackHidden ? s.inner : kStackHidden;
    const int acted = 2 * s.inner / kUnitColumns;  // strips of gate and up
    other_x = x + kStackHidden / 128 * kGroupBytes;
    sums = other_x + widest / 128 * kGroupBytes;
    const int strips = (acted > kHeadStrips ? acted : kHeadStrips) * kStripSums * 4;
    other_sums = sums + (strips > kWarpPartBytes ? strips : kWarpPartBytes);
    heads = other_sums + kOwnStrips * kStripSums * 4;
    parts = heads + 2 * (kStackGroup + 1) * kStackHeadDim * 2;
    squares = parts + 16 * kPartStride * 4;
    angles = squares + kWarps * 4;
    barriers = angles + kStackHeadDim * 4;
    pace = barriers + 2 * kMostSlots * 8;
    ring = (pace + 4 + 1023) / 1024 * 1024;  // swizzles want it so
    slots = (kMostBytes - ring) / kSlotBytes;
    if (slots > kMostSlots) slots = kMostSlots;
  }
  __host__ __device__ constexpr int bytes() const { return ring + slots * kSlotBytes; }
};

}  // namespace hangar::cuda::stack
