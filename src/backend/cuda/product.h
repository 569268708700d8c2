// Product: one matrix product as the ways of computing it see it (blas.h, tile_matmul.h,
//   plain_matmul.h).
//
// Promise: y = x W^T, sums in float32. `gate`: W is gate over up, one behind the other, and y = f(x
//   Wgate^T) * (x Wup^T). FP8: both are e4m3, and W's row o stands for weight_scales[o] times it
//   (group_scales: each 128 columns of it for theirs, int4_copy.h),
//   x's row r for x_scales[r] times it; where is_fp8_direct() says so, x is of the work type. 4
//   bits: W as int4.h, x as int4_inputs.h has it for so many rows; `norm`: x is float32, and an RMS
//   norm of it is what is multiplied.
// Shapes: W {outputs, columns}, rows contiguous (gated: {2 outputs, columns}); x {rows, columns}; y
//   {rows, outputs}; strides in elements.
// Threads: a value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "backend/cuda/input_norm.h"
#include "backend/cuda/int4.h"
#include "backend/cuda/int4_copy.h"
#include "tensor/dtype.h"
#include "tensor/gate_function.h"

namespace hangar::cuda {

enum class ProductOutput : std::uint8_t {
  kWork,  // y = .., in the work type
  kFull,  // y = .., in float32
  kAdd,   // y += .., in float32
};

struct Product {
  DType type = DType::kBF16;  // kBF16 or kF16: of x, and of a y of kWork
  const void* weight = nullptr;
  // `type`; kF8E4M3, x's too then, if it is quantized; or kF32, which the plain way alone takes.
  DType weight_type = DType::kBF16;
  const float* weight_scales = nullptr;  // [weight_rows()], FP8
  std::optional<Int4Form> int4;          // weight_type says nothing then
  Int4Copy copy;                         // of 4 bits, where there is one: many rows may go by it
  const std::uint16_t* group_scales = nullptr;
  const float* x_scales = nullptr;  // [rows], FP8, and more than a few rows of 4 bits
  const float* x_sums = nullptr;    // the same of 4 bits
  std::int64_t outputs = 0;
  std::int64_t columns = 0;
  std::int64_t rows = 0;
  const void* x = nullptr;
  std::int64_t x_stride = 0;
  NormOfInputs norm;  // where takes_int4_direct() or is_fp8_direct() says so
  ProductOutput output = ProductOutput::kWork;
  void* y = nullptr;
  std::int64_t y_stride = 0;
  std::optional<GateFunction> gate;
  // What comes behind it reads much that is there already: its blocks are to find room beside.
  bool leaves_room = false;

  // Where x is not taken directly.
  DType x_type() const { return weight_type == DType::kF8E4M3 ? weight_type : type; }
  DType y_type() const { return output == ProductOutput::kWork ? type : DType::kF32; }
  std::int64_t weight_rows() const { return gate ? 2 * outputs : outputs; }
};

// What bulk copies, cuBLASLt and 16-byte loads want of a matrix: its place, and every row's.
inline bool rows_aligned(const void* data, DType type, std::int64_t stride) {
  constexpr std::size_t kAlignmentBytes = 16;
  return reinterpret_cast<std::uintptr_t>(data) % kAlignmentBytes == 0 &&
         row_bytes(type, stride) % kAlignmentBytes == 0;
}

}  // namespace hangar::cuda
