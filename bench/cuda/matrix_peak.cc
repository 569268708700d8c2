#include "matrix_peak.h"

#include <cublasLt.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>

#include "backend/cuda/launch.h"
#include "bench_support.h"
#include "card_bounds.h"
#include "stream_times.h"

namespace hangar::cuda::bench {
namespace {

constexpr std::size_t kWorkspaceBytes = std::size_t{64} << 20;
constexpr int kAlgorithms = 4;
constexpr int kRepeats = 7;

void check_blas(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS) {
    throw std::runtime_error(fmt::format("{}: {}", call, cublasLtGetStatusString(status)));
  }
}
#define CHECK_BLAS(call) check_blas((call), #call)

template <typename T, cublasStatus_t (*destroy)(T)>
struct Destroy {
  using pointer = T;
  void operator()(T handle) const { destroy(handle); }
};
using Handle = std::unique_ptr<void, Destroy<cublasLtHandle_t, cublasLtDestroy>>;
using Matmul = std::unique_ptr<void, Destroy<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>>;
using Layout = std::unique_ptr<void, Destroy<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>>;
using Preference =
    std::unique_ptr<void, Destroy<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>>;

Layout layout(cudaDataType_t type, std::int64_t rows, std::int64_t columns) {
  cublasLtMatrixLayout_t made = nullptr;
  CHECK_BLAS(cublasLtMatrixLayoutCreate(&made, type, static_cast<std::uint64_t>(rows),
                                        static_cast<std::uint64_t>(columns), rows));
  return Layout(made);
}

// y {rows, out} = x {rows, in} W^T, all row-major: seen column by column, y^T = W x^T.
struct Shape {
  std::int64_t rows;
  std::int64_t out;
  std::int64_t in;

  double operations() const {
    return 2.0 * static_cast<double>(rows) * static_cast<double>(out) * static_cast<double>(in);
  }
};
constexpr std::array<Shape, 3> kShapes = {
    {{2048, 14336, 4096}, {4096, 14336, 4096}, {8192, 8192, 8192}}};

double best_of_shape(cublasLtHandle_t handle, const Shape& shape, DType type, void* workspace,
                     cudaStream_t stream) {
  const cudaDataType_t data_type = type == DType::kF16 ? CUDA_R_16F : CUDA_R_16BF;
  CardMemory memory;
  const Activation w = memory.activation(shape.out, shape.in, type, 0.02F);
  const Activation x = memory.activation(shape.rows, shape.in, type);
  const Activation y = memory.activation(shape.rows, shape.out, type);
  cublasLtMatmulDesc_t made = nullptr;
  CHECK_BLAS(cublasLtMatmulDescCreate(&made, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  const Matmul matmul(made);
  const cublasOperation_t transposed = CUBLAS_OP_T;
  CHECK_BLAS(cublasLtMatmulDescSetAttribute(made, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                            sizeof(transposed)));
  const Layout a = layout(data_type, shape.in, shape.out);
  const Layout b = layout(data_type, shape.in, shape.rows);
  const Layout c = layout(data_type, shape.out, shape.rows);
  cublasLtMatmulPreference_t wanted = nullptr;
  CHECK_BLAS(cublasLtMatmulPreferenceCreate(&wanted));
  const Preference preference(wanted);
  CHECK_BLAS(cublasLtMatmulPreferenceSetAttribute(wanted, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                  &kWorkspaceBytes, sizeof(kWorkspaceBytes)));
  std::array<cublasLtMatmulHeuristicResult_t, kAlgorithms> found{};
  int count = 0;
  CHECK_BLAS(cublasLtMatmulAlgoGetHeuristic(handle, made, a.get(), b.get(), c.get(), c.get(),
                                            wanted, kAlgorithms, found.data(), &count));
  double best = 0.0;
  const float one = 1.0F;
  const float zero = 0.0F;
  for (int i = 0; i < count; ++i) {
    const auto& algorithm = found[static_cast<std::size_t>(i)].algo;
    std::vector<double> times = times_us(stream, kRepeats, [&] {
      CHECK_BLAS(cublasLtMatmul(handle, made, &one, w.data, a.get(), x.data, b.get(), &zero, y.data,
                                c.get(), y.data, c.get(), &algorithm, workspace, kWorkspaceBytes,
                                stream));
    });
    std::nth_element(times.begin(), times.begin() + kRepeats / 2, times.end());
    best = std::max(best, shape.operations() / (times[kRepeats / 2] / 1e6));
  }
  return best;
}

}  // namespace

double matrix_operations_per_s(DType type, cudaStream_t stream) {
  cublasLtHandle_t made = nullptr;
  CHECK_BLAS(cublasLtCreate(&made));
  const Handle handle(made);
  CardMemory memory;
  void* workspace = memory.take(kWorkspaceBytes);
  double best = 0.0;
  for (const Shape& shape : kShapes) {
    best = std::max(best, best_of_shape(made, shape, type, workspace, stream));
  }
  if (best == 0.0) throw std::runtime_error("cuBLASLt proposes no algorithm");
  return best;
}

}  // namespace hangar::cuda::bench
