// Rotary embedding, and keys and values on their way into the cache.
//
// Promise: a row's angle of pair i is its position times inverse_frequency[i], rounded to float as
//   backend/ref has it; its sine and cosine are then taken to float accuracy at any position.
//   rope() turns the first 2 * pairs elements of each head of x in place. rope_write_kv() turns q
//   and k in place and stores k (as turned, before it is rounded to k's type) and v where the
//   batch's block tables say, in one kernel; write_kv() stores alone. In FP8 each head's row gets
//   the scale that KvType says, and both by the roundings of backend/ref.
// Shapes: x, q {rows, heads * head_dim}; k, v {rows, kv_heads * head_dim}; kBF16 or kF16, all of
//   one type; any row stride. Vectors of 16 bytes are used where heads, pairs and strides allow it.
// Order: the arrays of a DeviceBatch, positions and frequencies are read before the kernel waits
//   for the one before it: they were complete before the step's first kernel began. The kernels
//   let the next one begin only after they have waited themselves.
// Errors: CudaError.
// Threads: the step thread.
#pragma once

#include <cstdint>

#include "backend/cuda/device_batch.h"
#include "backend/cuda/kv_layer.h"
#include "backend/cuda/launch.h"
#include "tensor/activation.h"

namespace hangar::cuda {

// RopeTable in the card's memory.
struct RopeAngles {
  const float* inverse_frequency = nullptr;  // [pairs]
  std::int32_t pairs = 0;                    // rope_dim / 2
  float magnitude = 1.0F;
  bool interleaved = true;  // as RopeTable
};

void rope(const Launch& launch, Activation x, std::int32_t head_dim, const std::int32_t* positions,
          const RopeAngles& angles);
void rope_write_kv(const Launch& launch, Activation q, Activation k, Activation v,
                   const RopeAngles& angles, const KvLayer& layer, const DeviceBatch& batch);
void write_kv(const Launch& launch, Activation k, Activation v, const KvLayer& layer,
              const DeviceBatch& batch);

}  // namespace hangar::cuda
