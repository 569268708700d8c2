// The CUDA backend: Backend on one NVIDIA card.
//
// Promise: activations are 16 bits (BackendOptions::work_type), the residual stream, logits and
//   scores float32; sums are kept in float32. The card's memory is taken once, at start
//   (Device). Weights are kept as BackendOptions::quant asks (WeightChoice). A decode step is one
//   graph (StepGraphs). With BackendOptions::deterministic a row's results do not depend on the
//   rows beside it.
// Errors: make: as Device::open; kUnsupported: quant asks for what the card does not multiply.
//   Operations: CudaError, which ends the step; after one the card's state may be lost, and every
//   later step fails too.
// Threads: as Backend.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "backend/backend_options.h"
#include "base/result.h"

namespace hangar {

Result<std::unique_ptr<Backend>> make_cuda_backend(const BackendOptions& options);

}  // namespace hangar
