#include "backend/cpu/cpu_weight.h"

#include <cstring>

#include "backend/checks.h"
#include "quant/dequantize.h"

namespace hangar::cpu {
namespace {

bool is_floating(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

Status load_vector(CpuWeight& weight) {
  HANGAR_TRY(const std::size_t bytes, activation_bytes(1, weight.columns));
  HANGAR_TRY(weight.copy, HostMemory::allocate(bytes, weight.view.name));
  dequantize_row(weight.view.dtype, weight.view.data.data(), weight.copy.as<float>(),
                 weight.columns);
  weight.dense = {DType::kF32, 1, weight.columns, weight.copy.data()};
  weight.form = "f32";
  return {};
}

Status load_dense(CpuWeight& weight) {
  const TensorView& view = weight.view;
  weight.dense = {view.dtype, weight.rows, weight.columns, view.data.data()};
  weight.form = dtype_name(view.dtype);
  const std::size_t element_bytes = dtype_info(view.dtype).block_bytes;
  if (reinterpret_cast<std::uintptr_t>(view.data.data()) % element_bytes == 0) return {};
  HANGAR_TRY(weight.copy, HostMemory::allocate(view.data.size(), view.name));
  std::memcpy(weight.copy.data(), view.data.data(), view.data.size());
  weight.dense.data = weight.copy.data();
  return {};
}

Status load_panels(CpuWeight& weight, ThreadPool& pool) {
  HANGAR_TRY(weight.panels, pack_int_panels(weight.view, pool));
  weight.form = fmt::format("int{} groups of {}", weight.panels->bits, weight.panels->group);
  return {};
}

}  // namespace

Result<std::unique_ptr<CpuWeight>> load_cpu_weight(const TensorView& view, ThreadPool& pool) {
  HANGAR_CHECK_OK(check_weight_view(view));
  auto weight = std::make_unique<CpuWeight>();
  weight->view = view;
  weight->rows = view.rows();
  weight->columns = view.columns();
  if (weight->rows == 1) {
    HANGAR_CHECK_OK(load_vector(*weight));
  } else if (is_floating(view.dtype)) {
    HANGAR_CHECK_OK(load_dense(*weight));
  } else if (can_pack_int_panels(view.dtype)) {
    HANGAR_CHECK_OK(load_panels(*weight, pool));
  } else {
    return make_error(ErrorCode::kUnsupported, "tensor {}: the CPU does not compute with {}",
                      view.name, dtype_name(view.dtype));
  }
  weight->memory_bytes =
      weight->panels ? weight->panels->memory.size_bytes() : weight->copy.size_bytes();
  return weight;
}

}  // namespace hangar::cpu
