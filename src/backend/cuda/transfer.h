// Activations between the host's memory and the card's, whatever their type and stride.
//
// Promise: write_activation rounds floats to x's type; read_activation widens them again. Both wait
//   for the card.
// Shapes: host is {rows, columns} floats, row-major.
// Errors: CudaError.
// Threads: as Backend. For tests, evaluation and logits that the host asks for: not fast.
#pragma once

#include <span>

#include "backend/cuda/device.h"
#include "tensor/activation.h"

namespace hangar::cuda {

void write_activation(Device& device, Activation x, std::span<const float> host);
void read_activation(Device& device, Activation x, std::span<float> host);

}  // namespace hangar::cuda
