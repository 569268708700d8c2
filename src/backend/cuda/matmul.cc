#include "backend/cuda/matmul.h"

#include <cassert>
#include <stdexcept>

#include "backend/cuda/elementwise.h"

namespace hangar::cuda {
namespace {

// Up to so many rows each block makes the input itself; more are made once, by a kernel.
constexpr std::int64_t kMostNormedRows = 2;
constexpr std::int64_t kMostGatedRows = 2;

std::size_t element_bytes(DType type) {
  return type == DType::kF32 ? 4 : 2;
}

// Whether the ys are columns of one matrix, one beside the other.
bool side_by_side(std::span<const Activation> ys) {
  for (std::size_t i = 1; i < ys.size(); ++i) {
    const Activation& before = ys[i - 1];
    const std::size_t bytes =
        static_cast<std::size_t>(before.columns) * element_bytes(before.dtype);
    if (ys[i].dtype != before.dtype || ys[i].row_stride() != before.row_stride()) return false;
    if (static_cast<const std::byte*>(before.data) + bytes != ys[i].data) return false;
  }
  // Rows that lie tight are as wide as one y. (One row could be taken so, but the way that a
  // product goes must not depend on the number of rows.)
  return ys.size() < 2 || ys[0].row_stride() != ys[0].columns;
}

StreamProduct product_of(const CudaWeight& weight, Activation x, Activation y) {
  assert(y.rows == x.rows && y.columns == weight.rows && weight.columns == x.columns);
  if (x.dtype == DType::kF32) {
    throw std::invalid_argument("a product's input is of 16 bits on the card");
  }
  StreamProduct product;
  product.type = x.dtype;
  product.weight = weight.data;
  product.weight_type = weight.dtype;
  product.outputs = weight.rows;
  product.columns = weight.columns;
  product.rows = x.rows;
  product.x = x.data;
  product.x_stride = x.row_stride();
  product.output = y.dtype == DType::kF32 ? StreamOutput::kFull : StreamOutput::kWork;
  product.y = y.data;
  product.y_stride = y.row_stride();
  return product;
}

// One product for all of them if they lie so, else one for each.
template <typename Run>
void for_each_product(std::span<const Activation> ys, Activation x,
                      std::span<const CudaWeight* const> weights, Run&& run) {
  assert(ys.size() == weights.size());
  if (lie_together(weights) && side_by_side(ys)) {
    StreamProduct product = product_of(*weights[0], x, ys[0]);
    product.outputs = 0;
    for (const CudaWeight* weight : weights) product.outputs += weight->rows;
    run(product);
    return;
  }
  for (std::size_t i = 0; i < ys.size(); ++i) run(product_of(*weights[i], x, ys[i]));
}

// Measured on an H200 (docs/performance_gpu.md): with one or two rows and up to 64 MiB of weights
// the ring is ahead of cuBLASLt and the norm before it, else behind.
bool streams(const Launch& launch, const StreamProduct& product) {
  constexpr std::int64_t kMostRows = 2;
  constexpr std::int64_t kMostElements = std::int64_t{32} << 20U;
  return !launch.deterministic && product.rows <= kMostRows &&
         product.outputs * product.columns <= kMostElements && can_stream_ring(launch, product);
}

}  // namespace

void Matmul::run(const Launch& launch, const StreamProduct& product) {
  if (product.rows == 0) return;
  if (streams(launch, product)) return stream_ring(launch, product);
  BlasProduct blas;
  blas.type = product.type;
  blas.weight = product.weight;
  blas.outputs = product.outputs;
  blas.columns = product.columns;
  blas.x = product.x;
  blas.x_stride = product.x_stride;
  blas.rows = product.rows;
  blas.y = product.y;
  blas.y_stride = product.y_stride;
  blas.y_type = product.output == StreamOutput::kWork ? product.type : DType::kF32;
  blas.add = product.output == StreamOutput::kAdd;
  if (product.weight_type == product.type && blas_.multiply(launch, blas)) return;
  if (!launch.deterministic && can_stream_direct(product)) return stream_direct(launch, product);
  stream_scalar(launch, product);
}

void Matmul::matmul(const Launch& launch, std::span<const Activation> ys, Activation x,
                    std::span<const CudaWeight* const> weights) {
  for_each_product(ys, x, weights, [&](const StreamProduct& product) { run(launch, product); });
}

void Matmul::matmul_add(const Launch& launch, Activation x, Activation y,
                        const CudaWeight& weight) {
  assert(x.dtype == DType::kF32);
  StreamProduct product = product_of(weight, y, x);
  product.output = StreamOutput::kAdd;
  run(launch, product);
}

void Matmul::norm_matmul(const Launch& launch, std::span<const Activation> ys, Activation x,
                         const float* norm_weight, float eps,
                         std::span<const CudaWeight* const> weights, Activation scratch) {
  assert(scratch.rows == x.rows && scratch.columns == x.columns);
  if (x.rows == 0) return;
  bool made = false;  // the normed x, in scratch
  for_each_product(ys, scratch, weights, [&](StreamProduct product) {
    if (x.dtype == DType::kF32 && x.rows <= kMostNormedRows && !made) {
      StreamProduct fused = product;
      fused.input = StreamInput::kNorm;
      fused.x = x.data;
      fused.x_stride = x.row_stride();
      fused.norm_weight = norm_weight;
      fused.eps = eps;
      if (streams(launch, fused)) return stream_ring(launch, fused);
    }
    if (!made) rms_norm(launch, scratch, x, norm_weight, eps);
    made = true;
    run(launch, product);
  });
}

void Matmul::gate_matmul_add(const Launch& launch, Activation x, Activation gate, Activation up,
                             GateFunction f, const CudaWeight& weight) {
  assert(x.dtype == DType::kF32 && gate.columns == up.columns && gate.rows == up.rows);
  if (x.rows == 0) return;
  if (x.rows <= kMostGatedRows) {
    StreamProduct fused = product_of(weight, gate, x);
    fused.output = StreamOutput::kAdd;
    fused.input = StreamInput::kGate;
    fused.up = up.data;
    fused.up_stride = up.row_stride();
    fused.gate = f;
    if (streams(launch, fused)) return stream_ring(launch, fused);
  }
  gate_mul(launch, gate, gate, up, f);
  matmul_add(launch, x, gate, weight);
}

void Matmul::note(std::span<const CudaWeight* const> weights, DType y_type, bool add) {
  assert(lie_together(weights));
  BlasProduct product;
  product.type = weights[0]->dtype;
  product.weight = weights[0]->data;
  product.columns = weights[0]->columns;
  for (const CudaWeight* weight : weights) product.outputs += weight->rows;
  product.y_type = y_type;
  product.add = add;
  blas_.note(product);
}

}  // namespace hangar::cuda
