#include "backend/cuda/matmul.h"

#include <algorithm>
#include <cassert>
#include <stdexcept>

#include "backend/cuda/elementwise.h"
#include "backend/cuda/fp8_direct.h"
#include "backend/cuda/gate.cuh"

namespace hangar::cuda {
namespace {

// Whether the ys are columns of one matrix, one beside the other.
bool side_by_side(std::span<const Activation> ys) {
  for (std::size_t i = 1; i < ys.size(); ++i) {
    const Activation& before = ys[i - 1];
    const std::size_t bytes = row_bytes(before.dtype, before.columns);
    if (ys[i].dtype != before.dtype || ys[i].row_stride() != before.row_stride()) return false;
    if (static_cast<const std::byte*>(before.data) + bytes != ys[i].data) return false;
  }
  // Rows that lie tight are as wide as one y. (One row could be taken so, but the way that a
  // product goes must not depend on the number of rows.)
  return ys.size() < 2 || ys[0].row_stride() != ys[0].columns;
}

InputKind kind_of(const CudaWeight& weight) {
  switch (weight.layout) {
    case WeightForm::kFp8:
      return InputKind::kFp8;
    case WeightForm::kInt4:
      return int4_groups(weight.int4) == 1 ? InputKind::kInt4Sum : InputKind::kInt4FourSums;
    case WeightForm::kVector:
    case WeightForm::kDense:
      break;
  }
  return InputKind::kPlain;
}

// Whether x of these weights is not quantized.
bool stays(const Launch& launch, Activation x, InputKind kind) {
  return kind == InputKind::kFp8 ? takes_fp8_direct(launch, x.rows, x.columns)
                                 : takes_int4_direct(launch, x.rows, x.columns);
}

bool same_kind(std::span<const CudaWeight* const> weights) {
  return std::ranges::all_of(
      weights, [&](const CudaWeight* weight) { return kind_of(*weight) == kind_of(*weights[0]); });
}

std::optional<Int4Form> int4_of(const CudaWeight& weight) {
  if (weight.layout != WeightForm::kInt4) return std::nullopt;
  return weight.int4;
}

MatmulInput as_it_is(Activation x, DType work) {
  return {work, x.rows, x.columns, x.data, x.row_stride(), nullptr, nullptr, {}};
}

void set_input(Product& product, const MatmulInput& x) {
  product.x = x.data;
  product.x_stride = x.stride;
  product.x_scales = x.scales;
  product.x_sums = x.sums;
  product.norm = x.norm;
}

Product product_of(const CudaWeight& weight, const MatmulInput& x, Activation y) {
  assert(y.rows == x.rows && y.columns == weight.rows && weight.columns == x.columns);
  Product product;
  product.type = x.type;
  product.weight = weight.data;
  product.weight_type = weight.dtype;
  product.weight_scales = weight.scales;
  product.int4 = int4_of(weight);
  product.copy = weight.copy;
  product.outputs = weight.rows;
  product.columns = weight.columns;
  product.rows = x.rows;
  set_input(product, x);
  product.output = y.dtype == DType::kF32 ? ProductOutput::kFull : ProductOutput::kWork;
  product.y = y.data;
  product.y_stride = y.row_stride();
  return product;
}

// One product for all of them if they lie so, else one for each. q, k and v have attention next.
template <typename Run>
void for_each_product(std::span<const Activation> ys, const MatmulInput& x,
                      std::span<const CudaWeight* const> weights, Run&& run) {
  assert(ys.size() == weights.size());
  if (lie_together(weights) && side_by_side(ys)) {
    Product product = product_of(*weights[0], x, ys[0]);
    product.copy = copy_of(weights);
    product.outputs = 0;
    for (const CudaWeight* weight : weights) product.outputs += weight->rows;
    product.leaves_room = weights.size() == 3;
    run(product);
    return;
  }
  for (std::size_t i = 0; i < ys.size(); ++i) {
    Product product = product_of(*weights[i], x, ys[i]);
    product.leaves_room = weights.size() == 3;
    run(product);
  }
}

}  // namespace

void Matmul::set_input_room(void* room, std::int64_t rows, std::int64_t columns) {
  room_ = static_cast<std::byte*>(room);
  room_rows_ = rows;
  room_columns_ = columns;
}

// Copies of 4-bit weights take theirs as FP8 weights do.
InputKind Matmul::kind_for(const Launch& launch, std::span<const Activation> ys, Activation x,
                           DType work, std::span<const CudaWeight* const> weights) const {
  const InputKind kind = kind_of(*weights[0]);
  if (kind == InputKind::kPlain || kind == InputKind::kFp8) return kind;
  bool by_copy = true;
  for_each_product(ys, as_it_is(x, work), weights, [&](const Product& product) {
    by_copy = by_copy && products_.goes_by_copy(launch, product);
  });
  return by_copy ? InputKind::kFp8 : kind;
}

Int4Rows Matmul::input_room(Activation x) const {
  if (x.rows > room_rows_ || x.columns > room_columns_) {
    throw std::length_error("no room for a product's input in 8 bits");
  }
  return int4_rows_in(room_, x.rows, x.columns);
}

MatmulInput Matmul::quantized(const Launch& launch, Activation x, DType work, InputKind kind,
                              NormOfInputs norm) const {
  if (stays(launch, x, kind)) {
    MatmulInput same = as_it_is(x, work);
    same.norm = norm;
    return same;
  }
  const Int4Rows rows = input_room(x);
  if (kind == InputKind::kFp8) {
    const QuantizedRows fp8{rows.data, x.columns, rows.scales};
    if (norm.weight != nullptr) {
      quantize_normed_rows(launch, fp8, x, norm.weight, norm.eps);
    } else {
      quantize_rows(launch, fp8, x);
    }
    return {work, x.rows, x.columns, fp8.data, fp8.stride, fp8.scales, nullptr, {}};
  }
  const int groups = kind == InputKind::kInt4Sum ? 1 : 4;
  const Int4Rows made = quantize_inputs(launch, rows.data, x, groups, norm);
  return {work, x.rows, x.columns, made.data, made.stride, made.scales, made.sums, {}};
}

MatmulInput Matmul::input(const Launch& launch, Activation x, InputKind kind) const {
  if (x.dtype == DType::kF32) {
    throw std::invalid_argument("a product's input is of 16 bits on the card");
  }
  if (kind != InputKind::kPlain) return quantized(launch, x, x.dtype, kind, {});
  return as_it_is(x, x.dtype);
}

MatmulInput Matmul::normed_input(const Launch& launch, Activation x, const float* norm_weight,
                                 float eps, Activation scratch, InputKind kind) const {
  assert(scratch.rows == x.rows && scratch.columns == x.columns);
  if (kind != InputKind::kPlain) {
    return quantized(launch, x, scratch.dtype, kind, {norm_weight, eps});
  }
  rms_norm(launch, scratch, x, norm_weight, eps);
  return input(launch, scratch, kind);
}

void Matmul::multiply(const Launch& launch, std::span<const Activation> ys, const MatmulInput& x,
                      std::span<const CudaWeight* const> weights) {
  for_each_product(ys, x, weights,
                   [&](const Product& product) { products_.multiply(launch, product); });
}

void Matmul::matmul(const Launch& launch, std::span<const Activation> ys, Activation x,
                    std::span<const CudaWeight* const> weights) {
  if (x.rows == 0) return;
  if (same_kind(weights)) {
    const InputKind kind = kind_for(launch, ys, x, x.dtype, weights);
    return multiply(launch, ys, input(launch, x, kind), weights);
  }
  for (std::size_t i = 0; i < ys.size(); ++i) {
    matmul(launch, ys.subspan(i, 1), x, weights.subspan(i, 1));
  }
}

void Matmul::matmul_add(const Launch& launch, Activation x, Activation y,
                        const CudaWeight& weight) {
  assert(x.dtype == DType::kF32);
  if (x.rows == 0) return;
  add_product(launch, x, input(launch, y, added_kind(launch, x, y, weight)), weight);
}

InputKind Matmul::added_kind(const Launch& launch, Activation x, Activation y,
                             const CudaWeight& weight) const {
  Product product = product_of(weight, as_it_is(y, y.dtype), x);
  product.output = ProductOutput::kAdd;
  return products_.goes_by_copy(launch, product) ? InputKind::kFp8 : kind_of(weight);
}

Int4FewTarget Matmul::few_target(const Launch& launch, Activation y,
                                 const CudaWeight& weight) const {
  const InputKind kind = kind_of(weight);
  const bool few = (kind == InputKind::kInt4Sum || kind == InputKind::kInt4FourSums) &&
                   takes_few(launch, y.rows) && !stays(launch, y, kind) &&
                   y.columns % kInt4Columns == 0;
  if (!few) return {};
  return {static_cast<std::uint8_t*>(input_room(y).data), int4_groups(weight.int4)};
}

void Matmul::matmul_add_few(const Launch& launch, Activation x, Activation y,
                            const Int4FewTarget& few, const CudaWeight& weight) {
  add_product(launch, x, {y.dtype, y.rows, y.columns, few.data, 0, nullptr, nullptr, {}}, weight);
}

void Matmul::add_product(const Launch& launch, Activation x, const MatmulInput& y,
                         const CudaWeight& weight) {
  Product product = product_of(weight, y, x);
  product.output = ProductOutput::kAdd;
  products_.multiply(launch, product);
}

void Matmul::norm_matmul(const Launch& launch, std::span<const Activation> ys, Activation x,
                         const float* norm_weight, float eps,
                         std::span<const CudaWeight* const> weights, Activation scratch) {
  if (x.rows == 0) return;
  const InputKind kind = kind_of(*weights[0]);
  if (kind == InputKind::kPlain || !same_kind(weights)) {
    rms_norm(launch, scratch, x, norm_weight, eps);
    return matmul(launch, ys, scratch, weights);
  }
  const InputKind taken = kind_for(launch, ys, x, scratch.dtype, weights);
  multiply(launch, ys, normed_input(launch, x, norm_weight, eps, scratch, taken), weights);
}

bool Matmul::gate_joins(const Launch& launch, Activation x, Activation gate, GateFunction f,
                        const CudaWeight& weight) const {
  if (!Gate::knows(f)) return false;
  const InputKind kind = added_kind(launch, x, gate, weight);
  return kind == InputKind::kFp8 && !stays(launch, gate, kind);
}

void Matmul::gate_matmul_add(const Launch& launch, Activation x, Activation gate, Activation up,
                             GateFunction f, const CudaWeight& weight) {
  assert(x.dtype == DType::kF32 && gate.columns == up.columns && gate.rows == up.rows);
  if (x.rows == 0) return;
  if (!gate_joins(launch, x, gate, f, weight)) {
    gate_mul(launch, gate, gate, up, f);
    return matmul_add(launch, x, gate, weight);
  }
  const Int4Rows room = input_room(gate);
  const QuantizedRows rows{room.data, gate.columns, room.scales};
  quantize_gated_rows(launch, rows, gate, up, f);
  add_product(
      launch, x,
      {gate.dtype, gate.rows, gate.columns, rows.data, rows.stride, rows.scales, nullptr, {}},
      weight);
}

void Matmul::gated_mlp_add(const Launch& launch, Activation x, const float* norm_weight, float eps,
                           const CudaWeight& gate, const CudaWeight& up, const CudaWeight& down,
                           GateFunction f, const MlpScratch& scratch) {
  if (x.rows == 0) return;
  const CudaWeight* const both[] = {&gate, &up};
  if (lie_together(both) && gate.rows == up.rows) {
    // As it is; what the input will be does not decide whether it is taken.
    Product gated = product_of(gate, as_it_is(scratch.normed, scratch.normed.dtype), scratch.gate);
    gated.gate = f;
    gated.copy = copy_of(both);
    note_gated(launch, gated);
    if (products_.prefers_gated(launch, gated, gate_joins(launch, x, scratch.gate, f, down))) {
      const InputKind kind =
          products_.goes_by_copy(launch, gated) ? InputKind::kFp8 : kind_of(gate);
      const MatmulInput normed = normed_input(launch, x, norm_weight, eps, scratch.normed, kind);
      set_input(gated, normed);
      products_.multiply(launch, gated);
      return matmul_add(launch, x, scratch.gate, down);
    }
  }
  const Activation ys[] = {scratch.gate, scratch.up};
  norm_matmul(launch, ys, x, norm_weight, eps, both, scratch.normed);
  gate_matmul_add(launch, x, scratch.gate, scratch.up, f, down);
}

// Few rows go one way, many the other: both will be measured, whatever comes first.
void Matmul::note_gated(const Launch& launch, const Product& gated) {
  Product some = gated;
  some.rows = 1;
  if (!Products::takes_gated(launch, some)) return;
  products_.note(gated);
  if (gated.int4 && !has_rounded_copy(gated)) return;  // any number of rows
  Product plain = gated;
  plain.outputs = gated.weight_rows();
  plain.gate.reset();
  products_.note(plain);
}

void Matmul::note(std::span<const CudaWeight* const> weights, DType work_type, DType y_type,
                  bool add) {
  assert(lie_together(weights));
  Product product;
  product.type = work_type;
  product.weight_type = weights[0]->dtype;
  product.weight = weights[0]->data;
  product.weight_scales = weights[0]->scales;
  product.int4 = int4_of(*weights[0]);
  product.copy = copy_of(weights);
  product.columns = weights[0]->columns;
  for (const CudaWeight* weight : weights) product.outputs += weight->rows;
  product.output = add                     ? ProductOutput::kAdd
                   : y_type == DType::kF32 ? ProductOutput::kFull
                                           : ProductOutput::kWork;
  product.leaves_room = weights.size() == 3;
  products_.note(product);
}

}  // namespace hangar::cuda
