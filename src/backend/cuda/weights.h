// CudaWeight: a weight in the card's memory; and WeightLoader, which brings it there.
//
// Promise: a single row (a norm, a bias) is float32. A matrix is 16 bits, of the work type, row
// after
//   row: BF16 and F16 files as they are, or converted between the two or from F32; quantized types
//   are dequantized with their scales, inputs in order, and rounded once. Weights that are loaded
//   one after the other with equal columns lie directly behind one another where a row is a
//   multiple of 16 bytes, so that one product can take them together (lie_together()). load()
//   returns when the last bytes are on their way: host threads fill pinned buffers from the mapped
//   file while earlier ones are being copied. finish() waits for all of them; nothing else may read
//   the weights before it.
// Errors: load: as check_weight_view; kResourceExhausted where `take` has no more. CudaError.
// Threads: one calls; a loader uses its own threads inside.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "backend/cuda/weights_fill.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "tensor/dtype.h"
#include "tensor/tensor_view.h"

namespace hangar::cuda {

// How the numbers lie. Forms that stay packed come beside these.
enum class WeightForm : std::uint8_t {
  kVector,  // one row, float32
  kDense,   // {rows, columns} of 16 bits
};

class CudaWeight final : public Weight {
 public:
  void* data = nullptr;  // the card's
  DType dtype = DType::kF32;
  WeightForm layout = WeightForm::kVector;

  const float* vector() const { return static_cast<const float*>(data); }
};
using CudaWeightPtr = std::unique_ptr<CudaWeight>;

// Whether they are one matrix in memory: of one type and number of columns, each where the one
// before it ends.
bool lie_together(std::span<const CudaWeight* const> weights);

// nullptr: so much is not left.
using TakeMemory = std::function<void*(std::size_t bytes, std::size_t alignment)>;

class WeightLoader {
 public:
  // `type`: of matrices. threads <= 0: as many as there are processors.
  WeightLoader(TakeMemory take, DType type, int threads);
  ~WeightLoader();
  WeightLoader(const WeightLoader&) = delete;
  WeightLoader& operator=(const WeightLoader&) = delete;

  Result<CudaWeightPtr> load(const TensorView& view);
  // Numbers made on the card, the same for the same seed and shape; and every number the same.
  Result<CudaWeightPtr> make_random(std::int64_t rows, std::int64_t columns, std::uint64_t seed,
                                    float scale, RandomNumbers numbers);
  Result<CudaWeightPtr> make_constant(std::int64_t rows, std::int64_t columns, float value);
  // What load() and make_*() began is done.
  void finish();

 private:
  struct Buffer {
    std::byte* data = nullptr;  // pinned
    cudaEvent_t copied = nullptr;
  };
  Result<CudaWeightPtr> make_empty(std::int64_t rows, std::int64_t columns,
                                   std::string_view name) const;
  void copy_rows(const TensorView& view, const CudaWeight& weight);
  Buffer& next_buffer();

  TakeMemory take_;
  DType type_;
  ThreadPool pool_;
  cudaStream_t stream_ = nullptr;
  std::vector<Buffer> buffers_;
  std::size_t at_ = 0;
};

}  // namespace hangar::cuda
