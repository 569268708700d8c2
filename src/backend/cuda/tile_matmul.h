// Tile products: 1 to 256 rows at the speed at which the card's memory gives the weights, on
//   Hopper.
//
// Promise: y = x W^T, or += in float32, or gated, sums in float32 by the matrix units. A block
//   takes `rows` rows of W and up to 128 of x at a time (two blocks 256), and all columns; tensor
//   copies bring both through a ring of slots in shared memory; the matrix units read both from
//   there (W as their first operand, so that few rows of x waste nothing). The ring fills with
//   weights before the kernel waits for the one before it (weights never change). The order of a
//   sum depends on columns and way alone, unless the way splits columns between blocks (+= only),
//   whose sums are added as they come. FP8, and copies of 4-bit weights (by_copy(): from 65 rows
//   on): any number of rows, by three warpgroups. More rows gated, in 16 bits or where sums of FP8
//   may be fast ones (Fp8Sums): by two blocks that share x.
// Shapes: columns a multiple of 64 (FP8: 128); gated: outputs of 8. x and W at multiples of 16
//   bytes, rows of x too; for two blocks y and its rows too.
// Errors: CudaError.
// Threads: as Backend.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "backend/cuda/launch.h"
#include "backend/cuda/product.h"

namespace hangar::cuda {

inline constexpr std::int64_t kMostTileRows = 256;  // but by three warpgroups or two blocks

// How a product is cut. Of W: up to 64 rows a tile, a multiple of 8: two warpgroups take turns at
// its columns; more, up to 128, a multiple of 16: each takes half of its rows. Gated: multiples of
// twice that. 192: three take a third each; 256, gated alone: two blocks a half each, of which two
// warpgroups take a half.
struct TileWay {
  std::int32_t rows = 0;   // of W, in a tile
  std::int32_t boxes = 0;  // of 128 bytes of a row, in a slot; even where a tile is up to 64 rows
  std::int32_t memory_kib = 0;  // of shared memory, for a block
  std::int32_t blocks = 1;      // on a multiprocessor
  std::int32_t split = 1;       // of columns between blocks

  auto operator<=>(const TileWay&) const = default;
};

// A product of 4-bit weights by their copy, its inputs as int4_inputs.h has many rows: FP8, where
// that is a rounded one.
inline Product by_copy(const Product& product) {
  Product made = product;
  made.int4.reset();
  made.weight = product.copy.numbers;
  made.weight_type = DType::kF8E4M3;
  made.group_scales = product.copy.scales;
  if (product.copy.row_scales != nullptr) made.weight_scales = product.copy.row_scales;
  return made;
}

inline bool has_copy(const Product& product) {
  return product.int4 && product.copy.numbers != nullptr;
}
inline bool has_rounded_copy(const Product& product) {
  return has_copy(product) && product.copy.row_scales != nullptr;
}
// Up to so many rows 4 bits as they are are always the faster ones,
inline constexpr std::int64_t kUncopiedRows = 64;
// and of more than so many their copy: what cannot win is not measured.
inline constexpr std::int64_t kCopiedRows = 256;

// Whether it can be done so at all: the card, the sizes, the addresses.
bool can_tile(const Launch& launch, const Product& product);
// Ways worth measuring for it, the likeliest first; none where can_tile() says no. fast_sums: FP8
// may be added up in the matrix units (Fp8Sums).
std::vector<TileWay> tile_ways(const Launch& launch, const Product& product,
                               bool fast_sums = false);
// `way`: one of tile_ways() of a product of these sizes and, rounded up, as many rows.
void tile_matmul(const Launch& launch, const Product& product, const TileWay& way);

}  // namespace hangar::cuda
