// The numbers of a weight that is made and not read: what every backend's random_weight follows.
//
// Promise: random_role tells what a tensor is by its name: norms are all 1, biases all 0, matrices
//   are random. A random element is a function of the seed, the tensor's name and its place in the
//   whole tensor alone: a part of a fused tensor has the numbers that the whole has there. A
//   backend that makes them on its device may use another generator, as long as that holds.
// Errors: make_random_data: kUnsupported (a type that is not written), kResourceExhausted.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "tensor/random_weights.h"
#include "tensor/tensor_view.h"

namespace hangar {

enum class RandomRole : std::uint8_t { kMatrix, kOnes, kZeros };

// A norm is one row whose name ends in "norm.weight", a bias anything that ends in ".bias".
RandomRole random_role(const TensorView& view);

// Where a tensor's numbers begin: element i of it is hashed as key + i.
std::uint64_t random_key(std::string_view name, std::uint64_t seed);

// `view` with data in host memory that it owns.
Result<TensorView> make_random_data(const TensorView& view, const RandomWeights& how);

}  // namespace hangar
