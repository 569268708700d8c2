#include "backend/cuda/blas.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace hangar::cuda {
namespace {

constexpr std::uint32_t kAlignmentBytes = 16;  // of addresses and strides
// One algorithm for all numbers of rows is looked for at these, and must do all of the others.
constexpr std::int64_t kFixedRows[] = {128, 16, 1024};
constexpr std::int64_t kOtherRows[] = {1, 2, 3, 7, 8, 9, 31, 64, 300, 2048, 8192};

void check_blas(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  // Of the library's errors those that are the card's are sticky: say which.
  const cudaError_t last = cudaPeekAtLastError();
  throw CudaError(last != cudaSuccess ? last : cudaErrorUnknown,
                  fmt::format("{}: {}", call, cublasLtGetStatusString(status)).c_str());
}

cudaDataType_t cuda_type(DType type) {
  switch (type) {
    case DType::kBF16:
      return CUDA_R_16BF;
    case DType::kF16:
      return CUDA_R_16F;
    case DType::kF8E4M3:
      return CUDA_R_8F_E4M3;
    default:
      return CUDA_R_32F;
  }
}

// The library's column-major view of it: y^T {outputs, rows} = W {outputs, columns} x^T.
struct Descriptors {
  cublasLtMatmulDescOpaque_t operation{};
  cublasLtMatrixLayoutOpaque_t weight{};
  cublasLtMatrixLayoutOpaque_t x{};
  cublasLtMatrixLayoutOpaque_t y{};

  Descriptors(const Product& product, bool fast_sums) {
    const auto size = [](std::int64_t n) { return static_cast<std::uint64_t>(n); };
    const cudaDataType_t type = cuda_type(product.x_type());
    check_blas(cublasLtMatmulDescInit(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F), "describing");
    const cublasOperation_t transposed = CUBLAS_OP_T;
    check_blas(cublasLtMatmulDescSetAttribute(&operation, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                              sizeof(transposed)),
               "transposing");
    if (product.x_type() == DType::kF8E4M3) scale_rows(product);
    if (fast_sums) {
      const std::int8_t fast = 1;
      check_blas(cublasLtMatmulDescSetAttribute(&operation, CUBLASLT_MATMUL_DESC_FAST_ACCUM, &fast,
                                                sizeof(fast)),
                 "choosing how sums are kept");
    }
    check_blas(cublasLtMatrixLayoutInit(&weight, type, size(product.columns), size(product.outputs),
                                        product.columns),
               "laying out W");
    check_blas(cublasLtMatrixLayoutInit(&x, type, size(product.columns), size(product.rows),
                                        product.x_stride),
               "laying out x");
    check_blas(cublasLtMatrixLayoutInit(&y, cuda_type(product.y_type()), size(product.outputs),
                                        size(product.rows), product.y_stride),
               "laying out y");
  }

 private:
  // A scale for each output and for each row.
  void scale_rows(const Product& product) {
    const auto set = [&](cublasLtMatmulDescAttributes_t attribute, const auto& value) {
      check_blas(cublasLtMatmulDescSetAttribute(&operation, attribute,
                                                static_cast<const void*>(&value), sizeof(value)),
                 "scaling");
    };
    const auto by_row = static_cast<std::int32_t>(CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F);
    set(CUBLASLT_MATMUL_DESC_A_SCALE_MODE, by_row);
    set(CUBLASLT_MATMUL_DESC_B_SCALE_MODE, by_row);
    set(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, product.weight_scales);
    set(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, product.x_scales);
  }
};

}  // namespace

Blas::Blas(void* workspace, std::size_t workspace_bytes, Fp8Sums sums)
    : workspace_(workspace), workspace_bytes_(workspace_bytes), sums_(sums) {
  check_blas(cublasLtCreate(&handle_), "cublasLtCreate");
}

Blas::~Blas() {
  (void)cublasLtDestroy(handle_);
}

bool Blas::suits(const Product& product) {
  return product.rows > 0 && !product.gate && !product.int4 && product.group_scales == nullptr &&
         product.weight_type == product.x_type() &&
         rows_aligned(product.weight, product.weight_type, product.columns) &&
         rows_aligned(product.x, product.x_type(), product.x_stride) &&
         rows_aligned(product.y, product.y_type(), product.y_stride);
}

bool Blas::sums_fast(const Product& product, std::int64_t rows) const {
  return sums_ == Fp8Sums::kFast && product.x_type() == DType::kF8E4M3 && rows > kExactSumRows;
}

std::vector<cublasLtMatmulAlgo_t> Blas::candidates(const Product& product, bool split,
                                                   int most) const {
  Descriptors described(product, sums_fast(product, product.rows));
  cublasLtMatmulPreferenceOpaque_t preference{};
  check_blas(cublasLtMatmulPreferenceInit(&preference), "asking for algorithms");
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
    check_blas(cublasLtMatmulPreferenceSetAttribute(&preference, attribute, &value, sizeof(value)),
               "asking for algorithms");
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<std::uint64_t>(workspace_bytes_));
  for (const auto attribute :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
    set(attribute, kAlignmentBytes);
  }
  // Parts of a split K are added up in float32, never in the type of the output.
  set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      static_cast<std::uint32_t>(split ? CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE
                                       : CUBLASLT_REDUCTION_SCHEME_NONE));
  std::vector<cublasLtMatmulHeuristicResult_t> found(static_cast<std::size_t>(most));
  int count = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      handle_, &described.operation, &described.weight, &described.x, &described.y, &described.y,
      &preference, most, found.data(), &count);
  std::vector<cublasLtMatmulAlgo_t> algorithms;
  if (status != CUBLAS_STATUS_SUCCESS) return algorithms;
  for (int i = 0; i < count; ++i) {
    const cublasLtMatmulHeuristicResult_t& result = found[static_cast<std::size_t>(i)];
    if (result.state != CUBLAS_STATUS_SUCCESS || result.workspaceSize > workspace_bytes_) continue;
    std::int32_t parts = 1;
    std::size_t written = 0;
    if (!split &&
        cublasLtMatmulAlgoConfigGetAttribute(&result.algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &parts,
                                             sizeof(parts), &written) == CUBLAS_STATUS_SUCCESS &&
        parts != 0 && parts != 1) {
      continue;
    }
    algorithms.push_back(result.algo);
  }
  return algorithms;
}

std::vector<cublasLtMatmulAlgo_t> Blas::fixed_candidates(Product product) const {
  constexpr int kMostEach = 6;
  std::vector<cublasLtMatmulAlgo_t> found;
  const auto known = [&](const cublasLtMatmulAlgo_t& algorithm) {
    return std::ranges::any_of(found, [&](const cublasLtMatmulAlgo_t& other) {
      return std::memcmp(&other, &algorithm, sizeof(other)) == 0;
    });
  };
  const auto runs = [&](const cublasLtMatmulAlgo_t& algorithm) {
    return std::ranges::all_of(kOtherRows, [&](std::int64_t rows) {
      product.rows = rows;
      Descriptors described(product, sums_fast(product, product.rows));
      cublasLtMatmulHeuristicResult_t result{};
      return cublasLtMatmulAlgoCheck(handle_, &described.operation, &described.weight, &described.x,
                                     &described.y, &described.y, &algorithm,
                                     &result) == CUBLAS_STATUS_SUCCESS &&
             result.workspaceSize <= workspace_bytes_;
    });
  };
  for (const std::int64_t rows : kFixedRows) {
    product.rows = rows;
    for (const cublasLtMatmulAlgo_t& algorithm : candidates(product, false, kMostEach)) {
      if (!known(algorithm) && runs(algorithm)) found.push_back(algorithm);
    }
  }
  return found;
}

bool Blas::run(const Launch& launch, const Product& product,
               const cublasLtMatmulAlgo_t& algorithm) {
  Descriptors described(product, sums_fast(product, product.rows));
  const float one = 1.0F;
  const float beta = product.output == ProductOutput::kAdd ? 1.0F : 0.0F;
  const cublasStatus_t status =
      cublasLtMatmul(handle_, &described.operation, &one, product.weight, &described.weight,
                     product.x, &described.x, &beta, product.y, &described.y, product.y,
                     &described.y, &algorithm, workspace_, workspace_bytes_, launch.stream);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE) return false;
  check_blas(status, "cublasLtMatmul");
  return true;
}

}  // namespace hangar::cuda
