// Blas: matrix products by cuBLASLt.
//
// Promise: y = x W^T or y += x W^T, sums in float32, by one of the library's algorithms. With
//   Fp8Sums::kFast those of FP8 and more than kExactSumRows rows are kept as the matrix units keep
//   them, to fewer bits; sums_fast() says of which products. candidates() gives the algorithms that
//   it proposes for a product, its first choice first; with `split` K may be divided between
//   blocks, whose parts are added up in float32. fixed_candidates() gives those that do every
//   number of rows and do not split K.
// Shapes: as Product; nothing gated.
// Errors: suits(): false for sizes and addresses that are no multiples of 16 bytes. CudaError.
// Threads: as Backend. run() may be captured in a graph.
#pragma once

#include <cublasLt.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "backend/cuda/launch.h"
#include "backend/cuda/product.h"
#include "tensor/weight_quant.h"

namespace hangar::cuda {

// Up to so many rows FP8 is added up in float32 always: the memory is what such a step waits for.
inline constexpr std::int64_t kExactSumRows = 256;

class Blas {
 public:
  // The workspace is the card's, at 256 bytes, and outlives this. It is for one stream.
  Blas(void* workspace, std::size_t workspace_bytes, Fp8Sums sums);
  ~Blas();
  Blas(const Blas&) = delete;
  Blas& operator=(const Blas&) = delete;

  static bool suits(const Product& product);
  // Of so many rows of it.
  bool sums_fast(const Product& product, std::int64_t rows) const;
  std::vector<cublasLtMatmulAlgo_t> candidates(const Product& product, bool split, int most) const;
  std::vector<cublasLtMatmulAlgo_t> fixed_candidates(Product product) const;
  // False: the algorithm does not do just this product.
  bool run(const Launch& launch, const Product& product, const cublasLtMatmulAlgo_t& algorithm);

 private:
  cublasLtHandle_t handle_ = nullptr;
  void* workspace_;
  std::size_t workspace_bytes_;
  Fp8Sums sums_;
};

}  // namespace hangar::cuda
