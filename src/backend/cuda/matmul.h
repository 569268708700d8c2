// Matmul: the products of the backend, each by what does it fastest.
//
// Promise: what Backend says of the operations of these names, weights in the work type, sums in
//   float32; each product as Products chooses. Several weights that lie together, with outputs side
//   by side in rows of one stride, are one product; so are a gate and an up matrix, and what the
//   gate does, where that is faster (Products::prefers_gated()). Inputs of FP8 weights are
//   quantized row by row, those of 4-bit weights as int4_inputs.h says, an RMS norm on the way; one
//   or two rows of either are multiplied as they are (but FP8's of columns that are no multiple of
//   128). Deterministic: for a given weight the way does not depend on the number of rows, and
//   neither does a row's result.
// Shapes: as Backend; x of matmul, gate and up are the work type, x of norm_matmul, matmul_add and
//   gate_matmul_add float32, ys either.
// Errors: CudaError.
// Threads: as Backend. All but tune(), load and save may be captured in a graph.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "backend/backend.h"
#include "backend/cuda/int4_inputs.h"
#include "backend/cuda/launch.h"
#include "backend/cuda/products.h"
#include "backend/cuda/quantize.h"
#include "backend/cuda/weights.h"
#include "tensor/activation.h"
#include "tensor/gate_function.h"

namespace hangar::cuda {

// What cuBLASLt's kernels on Hopper want at most.
inline constexpr std::size_t kMatmulWorkspaceBytes = std::size_t{32} << 20U;

// As what weights want their inputs: 4 bits: with one or four sums of 128 columns.
enum class InputKind : std::uint8_t { kPlain, kFp8, kInt4Sum, kInt4FourSums };

// What is multiplied: x itself, an RMS norm of it, or its rows in 8 bits.
struct MatmulInput {
  DType type = DType::kBF16;  // the work type
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  const void* data = nullptr;
  std::int64_t stride = 0;
  const float* scales = nullptr;  // of FP8 rows
  const float* sums = nullptr;    // of 4-bit weights' inputs
  NormOfInputs norm;              // still to come: data is float32
};

// Bytes for inputs in 8 bits of so many rows and columns, and what goes with them.
inline std::size_t input_room_bytes(std::int64_t rows, std::int64_t columns) {
  return int4_input_bytes(rows, columns);  // FP8's take less: no sums
}

class Matmul {
 public:
  // The workspace is the card's, for one stream, and outlives this.
  Matmul(void* workspace, std::size_t workspace_bytes, Fp8Sums sums = Fp8Sums::kExact)
      : products_(workspace, workspace_bytes, sums) {}

  // Where inputs of weights of fewer bits are quantized to, input_room_bytes(rows, columns) of the
  // card's; it outlives this. Without it there are no such weights.
  void set_input_room(void* room, std::int64_t rows, std::int64_t columns);

  void matmul(const Launch& launch, std::span<const Activation> ys, Activation x,
              std::span<const CudaWeight* const> weights);
  // x += y weight^T.
  void matmul_add(const Launch& launch, Activation x, Activation y, const CudaWeight& weight);
  // Where the input of that product can be put by what makes it, as few rows (int4_inputs.h): then
  // matmul_add_few() is it. Nowhere: it is to be a matrix. Of both, y: its sizes alone count.
  Int4FewTarget few_target(const Launch& launch, Activation y, const CudaWeight& weight) const;
  void matmul_add_few(const Launch& launch, Activation x, Activation y, const Int4FewTarget& few,
                      const CudaWeight& weight);
  // ys = norm(x) weights^T; `scratch` {rows, columns} of the work type.
  void norm_matmul(const Launch& launch, std::span<const Activation> ys, Activation x,
                   const float* norm_weight, float eps, std::span<const CudaWeight* const> weights,
                   Activation scratch);
  // x += (f(gate) * up) weight^T; gate is changed.
  void gate_matmul_add(const Launch& launch, Activation x, Activation gate, Activation up,
                       GateFunction f, const CudaWeight& weight);

  // x += (f(n gate^T) * (n up^T)) down^T, n = norm(x).
  void gated_mlp_add(const Launch& launch, Activation x, const float* norm_weight, float eps,
                     const CudaWeight& gate, const CudaWeight& up, const CudaWeight& down,
                     GateFunction f, const MlpScratch& scratch);

  // See Products::tune(). A model's products are noted as they run, or one by one with note():
  // `outputs` and `columns` of the weights taken together, y_type as ys'.
  void note(std::span<const CudaWeight* const> weights, DType work_type, DType y_type, bool add);
  int tune(const Launch& launch, std::span<const std::int64_t> row_counts, DeviceScratch scratch) {
    return products_.tune(launch, row_counts, scratch);
  }
  void load_choices(const std::filesystem::path& path) { products_.load(path); }
  Status save_choices(const std::filesystem::path& path) const { return products_.save(path); }

 private:
  Int4Rows input_room(Activation x) const;
  // As what weights want x {rows, columns} for these ys.
  InputKind kind_for(const Launch& launch, std::span<const Activation> ys, Activation x, DType work,
                     std::span<const CudaWeight* const> weights) const;
  // As what weight takes y {rows, columns} where the product is added to x.
  InputKind added_kind(const Launch& launch, Activation x, Activation y,
                       const CudaWeight& weight) const;
  // Whether the gate goes with the pass that rounds this product's inputs to FP8: += in x.
  bool gate_joins(const Launch& launch, Activation x, Activation gate, GateFunction f,
                  const CudaWeight& weight) const;
  // As that kind takes it. norm: of what is quantized, x {rows, columns} float32 then. work: the
  // work type.
  MatmulInput quantized(const Launch& launch, Activation x, DType work, InputKind kind,
                        NormOfInputs norm) const;
  MatmulInput input(const Launch& launch, Activation x, InputKind kind) const;
  MatmulInput normed_input(const Launch& launch, Activation x, const float* norm_weight, float eps,
                           Activation scratch, InputKind kind) const;
  void multiply(const Launch& launch, std::span<const Activation> ys, const MatmulInput& x,
                std::span<const CudaWeight* const> weights);

  void add_product(const Launch& launch, Activation x, const MatmulInput& y,
                   const CudaWeight& weight);

  void note_gated(const Launch& launch, const Product& gated);

  Products products_;
  std::byte* room_ = nullptr;
  std::int64_t room_rows_ = 0;
  std::int64_t room_columns_ = 0;
};

}  // namespace hangar::cuda
