#include "backend/cpu/cpu_weight.h"

#include <algorithm>

#include "backend/checks.h"
#include "quant/view_rows.h"

namespace hangar::cpu {
namespace {

Status load_vector(CpuWeight& weight) {
  HANGAR_TRY(const std::size_t bytes, activation_bytes(1, weight.columns));
  HANGAR_TRY(weight.single_row, HostMemory::allocate(bytes, weight.view.name));
  dequantize_view_row(weight.view, 0, weight.single_row.as<float>());
  weight.form = "f32";
  weight.memory_bytes = bytes;
  return {};
}

Status load_dense(CpuWeight& weight, ThreadPool& pool) {
  HANGAR_TRY(weight.dense, pack_dense_panels(weight.view, pool));
  weight.memory_bytes = weight.dense->memory.size_bytes();
  weight.name_form();
  return {};
}

Status load_panels(CpuWeight& weight, ThreadPool& pool) {
  HANGAR_TRY(weight.panels, pack_int_panels(weight.view, pool));
  weight.memory_bytes = weight.panels->memory.size_bytes();
  weight.name_form();
  return {};
}

}  // namespace

void CpuWeight::name_form() {
  if (panels) {
    form = fmt::format("int{} groups of {}", panels->bits, panels->group);
  } else if (view.dtype == DType::kF8E4M3) {
    form = "BF16, rounded from F8_E4M3";
  } else {
    form = dtype_name(view.dtype);
  }
}

bool CpuWeight::rounded() const {
  if (panels) {
    return panels->offset == PanelOffset::kMinimum &&
           (view.dtype == DType::kInt4G32 || view.dtype == DType::kInt8G32);
  }
  return dense && view.dtype == DType::kF8E4M3;
}

void CpuWeight::read_row(std::int64_t row, float* out) const {
  if (rounded() && !view.data.empty()) {
    dequantize_view_row(view, row, out);
    return;
  }
  if (!input_order) {
    read_stored_row(row, out);
    return;
  }
  std::vector<float> stored(static_cast<std::size_t>(columns));
  read_stored_row(row, stored.data());
  for (std::size_t j = 0; j < stored.size(); ++j) out[(*input_order)[j]] = stored[j];
}

void CpuWeight::read_stored_row(std::int64_t row, float* out) const {
  if (panels) {
    dequantize_panel_row(*panels, row, out);
    return;
  }
  if (dense) {
    read_dense_panel_row(*dense, row, out);
    return;
  }
  std::copy_n(vector(), columns, out);
}

Result<std::unique_ptr<CpuWeight>> load_cpu_weight(const TensorView& view, ThreadPool& pool) {
  HANGAR_CHECK_OK(check_weight_view(view));
  auto weight = std::make_unique<CpuWeight>();
  weight->view = view;
  weight->rows = view.rows();
  weight->columns = view.columns();
  if (weight->rows == 1) {
    HANGAR_CHECK_OK(load_vector(*weight));
  } else if (can_pack_dense_panels(view.dtype)) {
    HANGAR_CHECK_OK(load_dense(*weight, pool));
    weight->input_order = view.input_order;
  } else if (can_pack_int_panels(view.dtype)) {
    HANGAR_CHECK_OK(load_panels(*weight, pool));
    weight->input_order = view.input_order;
  } else {
    return make_error(ErrorCode::kUnsupported, "tensor {}: the CPU does not compute with {}",
                      view.name, dtype_name(view.dtype));
  }
  // What was converted for this weight alone is not kept twice.
  if (view.owner) {
    weight->view.data = {};
    weight->view.owner.reset();
  }
  return weight;
}

}  // namespace hangar::cpu
