// mix_experts: a mixture of experts whose choices never leave the card.
//
// Promise: as MoeLayer (model/layers/moe.h) from the scores on: x += for each of a row's `used`
//   experts, in the experts' order, its share times down(f(gate(n)) * up(n)). Choices are sorted by
//   expert on the card; each product is one launch for all experts, whose blocks find on the card
//   which rows of which expert they have. A row's result does not depend on other rows.
// Shapes: n, x {rows, hidden}; scores {rows, experts} float32; gate, up {inner, hidden}, down
//   {hidden, inner} of 16 bits, FP8 or 4 bits; mixes() says which sizes.
// Errors: CudaError.
// Threads: one (the step thread).
// Source: sorting tokens by expert and a grouped product: Gale et al., "MegaBlocks" (2022).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "backend/cuda/int4.h"
#include "backend/cuda/launch.h"
#include "tensor/activation.h"
#include "tensor/dtype.h"
#include "tensor/gate_function.h"

namespace hangar::cuda {

// One of gate, up and down: of all experts. The arrays are the card's, [experts].
struct MixtureMatrix {
  const void* const* weights = nullptr;
  const float* const* scales = nullptr;  // of FP8: a scale for each row
  bool zeros = false;                    // of 4 bits, kZero32: the second of a pair is a zero
};

struct Mixture {
  MixtureMatrix gate;
  MixtureMatrix up;
  MixtureMatrix down;
  DType weight_type = DType::kBF16;  // not of 4 bits
  std::optional<Int4Form> int4;
  std::int32_t experts = 0;
  std::int64_t inner = 0;
  std::int64_t hidden = 0;
  std::int32_t used = 0;  // of a row
};

bool mixes(DType work_type, const Mixture& mixture);
// What mix_experts() works in, for so many rows at most.
std::size_t mixture_room_bytes(std::int64_t rows, const Mixture& mixture);
void mix_experts(const Launch& launch, Activation x, Activation normed, Activation scores,
                 const Mixture& mixture, bool normalize, GateFunction function, void* room);

}  // namespace hangar::cuda
