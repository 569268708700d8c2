// Matmul: the products of the backend, each by what does it fastest.
//
// Promise: what Backend says of the operations of these names, weights in the work type, sums in
//   float32. One or two rows and smaller weights stream (stream_matmul.h), with the norm or the
//   gate made on the way; all else goes to cuBLASLt (blas.h), norm and gate before it; sizes that
//   neither takes are done number by number. Several weights that lie together, with outputs side
//   by side in rows of one stride, are one product. Deterministic launches go to cuBLASLt, or
//   number by number, whatever the number of rows: for a given weight the way does not depend on
//   it, and neither does a row's result.
// Shapes: as Backend; x of matmul, gate and up are the work type, x of norm_matmul, matmul_add and
//   gate_matmul_add float32, ys either.
// Errors: CudaError.
// Threads: as Backend. All but tune(), load and save may be captured in a graph.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "backend/cuda/blas.h"
#include "backend/cuda/launch.h"
#include "backend/cuda/stream_matmul.h"
#include "backend/cuda/weights.h"
#include "tensor/activation.h"
#include "tensor/gate_function.h"

namespace hangar::cuda {

// What cuBLASLt's kernels on Hopper want at most.
inline constexpr std::size_t kMatmulWorkspaceBytes = std::size_t{32} << 20U;

class Matmul {
 public:
  // The workspace is the card's, for one stream, and outlives this.
  Matmul(void* workspace, std::size_t workspace_bytes) : blas_(workspace, workspace_bytes) {}

  void matmul(const Launch& launch, std::span<const Activation> ys, Activation x,
              std::span<const CudaWeight* const> weights);
  // x += y weight^T.
  void matmul_add(const Launch& launch, Activation x, Activation y, const CudaWeight& weight);
  // ys = norm(x) weights^T; `scratch` {rows, columns} of the work type.
  void norm_matmul(const Launch& launch, std::span<const Activation> ys, Activation x,
                   const float* norm_weight, float eps, std::span<const CudaWeight* const> weights,
                   Activation scratch);
  // x += (f(gate) * up) weight^T; gate is changed.
  void gate_matmul_add(const Launch& launch, Activation x, Activation gate, Activation up,
                       GateFunction f, const CudaWeight& weight);

  // Measures cuBLASLt's algorithms for the products that were noted or asked for until now: see
  // Blas::tune(). A model's products are noted by running a step of more than 8 rows, or one by one
  // with note(): `outputs` and `columns` of the weights taken together, y_type as ys'.
  void note(std::span<const CudaWeight* const> weights, DType y_type, bool add);
  int tune(const Launch& launch, std::span<const std::int64_t> row_counts, DeviceScratch scratch) {
    return blas_.tune(launch, row_counts, scratch);
  }
  void load_choices(const std::filesystem::path& path) { blas_.load(path); }
  Status save_choices(const std::filesystem::path& path) const { return blas_.save(path); }

 private:
  void run(const Launch& launch, const StreamProduct& product);

  Blas blas_;
};

}  // namespace hangar::cuda
