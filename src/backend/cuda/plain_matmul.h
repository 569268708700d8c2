// stream_matmul: products of 1 to 8 rows at the speed at which the card's memory gives the weights.
//
// Promise: y = input(x) W^T, sums in float32 by the matrix units, where input() makes the rows of
//   16-bit numbers that are multiplied: x itself, its RMS norm, or f(gate) * up, each rounded once.
//   Three ways, chosen by can_stream() and the card:
//   - ring (Hopper): one block on each multiprocessor takes an equal share of W's rows and streams
//     it through a ring of shared memory, filled by bulk copies that one warp issues. The ring
//     fills before the kernel waits for the one before it (weights never change), and is small
//     enough that the blocks of two kernels lie on one multiprocessor: while one ends, the next
//     one's weights come. K is split over a block's warps, never over blocks.
//   - direct (any card from 8.0 on): weights straight to registers; plain input only.
//   - scalar: any sizes, strides, alignments and numbers of rows; plain input only. A weight of one
//     row may be float32 here. A row's result does not depend on the other rows.
// Shapes: W {outputs, columns}, contiguous; strides in elements.
// Errors: CudaError.
// Threads: as Backend.
#pragma once

#include <cstdint>

#include "backend/cuda/launch.h"
#include "tensor/dtype.h"
#include "tensor/gate_function.h"

namespace hangar::cuda {

inline constexpr std::int64_t kMostStreamRows = 8;

enum class StreamInput : std::uint8_t { kPlain, kNorm, kGate };
enum class StreamOutput : std::uint8_t {
  kWork,  // y = .., in the work type
  kFull,  // y = .., in float32
  kAdd,   // y += .., in float32
};

struct StreamProduct {
  DType type = DType::kBF16;  // kBF16 or kF16: the work type
  const void* weight = nullptr;
  DType weight_type = DType::kBF16;  // the work type, or kF32 for stream_scalar
  std::int64_t outputs = 0;
  std::int64_t columns = 0;
  std::int64_t rows = 0;

  StreamInput input = StreamInput::kPlain;
  const void* x = nullptr;  // kPlain: work type; kNorm: float32; kGate: the gate, work type
  std::int64_t x_stride = 0;
  const float* norm_weight = nullptr;  // kNorm
  float eps = 0.0F;                    // kNorm
  const void* up = nullptr;            // kGate, work type
  std::int64_t up_stride = 0;
  GateFunction gate = GateFunction::kSilu;

  StreamOutput output = StreamOutput::kWork;
  void* y = nullptr;
  std::int64_t y_stride = 0;
};

// Whether the ring takes it: a Hopper card, few rows, every row of W and of the inputs at a
// multiple of 16 bytes, a gate other than kGelu.
bool can_stream_ring(const Launch& launch, const StreamProduct& product);
// The same of the direct kernel.
bool can_stream_direct(const StreamProduct& product);

void stream_ring(const Launch& launch, const StreamProduct& product);
void stream_direct(const Launch& launch, const StreamProduct& product);
void stream_scalar(const Launch& launch, const StreamProduct& product);

}  // namespace hangar::cuda
