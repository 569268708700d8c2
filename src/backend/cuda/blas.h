// Blas: matrix products by cuBLASLt.
//
// Promise: y = x W^T or y += x W^T, sums in float32, by an algorithm that was measured to be the
//   fastest for about so many rows (tune(), or the file of an earlier start), or else the first
//   that the library proposes. Deterministic launches take one algorithm for every number of rows,
//   one that does not split K between blocks: an output is then summed by the same instructions in
//   the same order whatever rows are beside it. tune() runs each candidate on the card with few and
//   with many rows and takes none whose results differ in a bit.
// Shapes: W {outputs, columns}, contiguous; strides in elements.
// Errors: multiply: false where the library has nothing for such a product (sizes and addresses
// that
//   are no multiples of 16 bytes); CudaError otherwise.
// Threads: as Backend. multiply may be captured in a graph; tune may not.
#pragma once

#include <cublasLt.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "backend/cuda/blas_algorithms.h"
#include "backend/cuda/launch.h"

namespace hangar::cuda {

struct BlasProduct {
  DType type = DType::kBF16;  // of W and x: kBF16 or kF16
  const void* weight = nullptr;
  std::int64_t outputs = 0;
  std::int64_t columns = 0;
  const void* x = nullptr;
  std::int64_t x_stride = 0;
  std::int64_t rows = 0;
  void* y = nullptr;
  std::int64_t y_stride = 0;
  DType y_type = DType::kBF16;  // `type` or kF32
  bool add = false;             // y += ..; y_type is kF32
};

// Memory of the card's for tune() to work in; its contents are lost.
struct DeviceScratch {
  void* data = nullptr;
  std::size_t bytes = 0;
};

class Blas {
 public:
  // The workspace is the card's, at 256 bytes, and outlives this. It is for one stream.
  Blas(void* workspace, std::size_t workspace_bytes);
  ~Blas();
  Blas(const Blas&) = delete;
  Blas& operator=(const Blas&) = delete;

  bool multiply(const Launch& launch, const BlasProduct& product);

  // Says that there are such products (of those pointers only the weight and the types, sizes and
  // strides count). multiply() does so itself.
  void note(const BlasProduct& product);
  // Measures candidates for every product noted and not yet measured, at each of `row_counts`, on
  // the weights noted, in turn, so that they come from memory. Row counts whose x and y do not fit
  // the scratch keep the library's own order. Returns how many choices it made. Waits for the card.
  int tune(const Launch& launch, std::span<const std::int64_t> row_counts, DeviceScratch scratch);

  // Choices of an earlier start, and what was measured since then.
  void load(const std::filesystem::path& path);
  Status save(const std::filesystem::path& path) const;

 private:
  using Weights = std::vector<const void*>;

  const BlasChoice* choose(const Launch& launch, const BlasProduct& product);
  cublasStatus_t run(const Launch& launch, const BlasProduct& product,
                     const cublasLtMatmulAlgo_t& algorithm);
  std::vector<cublasLtMatmulAlgo_t> candidates(const BlasProduct& product, bool split,
                                               int most) const;
  // Those for every number of rows, in the library's order.
  std::vector<cublasLtMatmulAlgo_t> fixed_candidates(BlasProduct product) const;
  // Microseconds of one run, W taken from `weights` in turn; 0 where it does not run. Gives up,
  // with a rough figure, on one much slower than give_up_us (0: never).
  double measure(const Launch& launch, BlasProduct product, const Weights& weights,
                 const cublasLtMatmulAlgo_t& algorithm, double give_up_us);
  bool rows_are_independent(const Launch& launch, BlasProduct product,
                            const cublasLtMatmulAlgo_t& algorithm, DeviceScratch scratch);
  bool tune_bucket(const Launch& launch, const BlasProduct& product, const Weights& weights);
  bool tune_fixed(const Launch& launch, BlasProduct product, const Weights& weights,
                  DeviceScratch scratch);

  cublasLtHandle_t handle_ = nullptr;
  void* workspace_;
  std::size_t workspace_bytes_;
  std::string owner_;  // card, driver, library
  BlasAlgorithms algorithms_;
  std::map<BlasKey, Weights> noted_;  // bucket 0
};

}  // namespace hangar::cuda
