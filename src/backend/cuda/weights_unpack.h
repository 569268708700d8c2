// unpack: a file's numbers, as they are stored, into the type a weight is kept in, on the card.
//
// Promise: each number is what dequantize_row gives, rounded once. `stored` may be the host's
//   pinned memory: every byte of it is read once, in order.
// Shapes: `elements` numbers of whole blocks, one behind the other, into as many of kF32, kBF16 or
//   kF16. `stored` lies at a multiple of 16 bytes and may be read up to the next one behind its
//   end.
// Errors: CudaError. unpacks_on_card says which types there are.
// Threads: any, each with a stream of its own. Done when the stream has done it.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "tensor/dtype.h"

namespace hangar::cuda {

bool unpacks_on_card(DType stored);
void unpack(const void* stored, DType from, void* to, DType type, std::int64_t elements,
            cudaStream_t stream);

}  // namespace hangar::cuda
