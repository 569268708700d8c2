// sort_choices: which rows go to which expert, in tiles of a product.
//
// Promise: `order` has the choices of each expert behind one another, the experts in their order;
//   `tiles` cuts each expert's into pieces of at most `width`, tile_count of them; row r's choices
//   in the order of their experts are by_expert[r * used ...]. Within an expert the order is any.
// Shapes: choice r * used + i is row r's i-th, ids[choice] its expert; order, by_expert [choices],
//   tiles [most_tiles()].
// Errors: CudaError. Threads: one (the step thread).
#pragma once

#include <algorithm>
#include <cstdint>

#include "backend/cuda/launch.h"

namespace hangar::cuda {

struct MixtureTile {
  std::int32_t expert = 0;
  std::int32_t first = 0;  // in `order`
  std::int32_t count = 0;
};

struct SortedChoices {
  std::int32_t* order = nullptr;
  std::int32_t* by_expert = nullptr;
  MixtureTile* tiles = nullptr;
  std::int32_t* tile_count = nullptr;
};

// However the choices fall.
constexpr std::int64_t most_tiles(std::int64_t choices, std::int64_t experts, std::int64_t width) {
  return std::min(choices, experts + choices / width);
}

void sort_choices(const Launch& launch, const SortedChoices& to, const std::int32_t* ids,
                  std::int32_t rows, std::int32_t used, std::int32_t experts, std::int32_t width);

}  // namespace hangar::cuda
