#include "backend/cpu/cpu_weight.h"

#include <cstring>

#include "backend/checks.h"
#include "quant/dequantize.h"
#include "quant/view_rows.h"
#include "tensor/float16.h"

namespace hangar::cpu {
namespace {

bool is_floating(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

Status load_vector(CpuWeight& weight) {
  HANGAR_TRY(const std::size_t bytes, activation_bytes(1, weight.columns));
  HANGAR_TRY(weight.copy, HostMemory::allocate(bytes, weight.view.name));
  dequantize_view_row(weight.view, 0, weight.copy.as<float>());
  weight.dense = {DType::kF32, 1, weight.columns, weight.copy.data()};
  weight.form = "f32";
  return {};
}

Status load_dense(CpuWeight& weight) {
  const TensorView& view = weight.view;
  weight.dense = {view.dtype, weight.rows, weight.columns, view.data.data()};
  weight.form = dtype_name(view.dtype);
  weight.input_order = view.input_order;
  const std::size_t element_bytes = dtype_info(view.dtype).block_bytes;
  if (reinterpret_cast<std::uintptr_t>(view.data.data()) % element_bytes == 0) return {};
  HANGAR_TRY(weight.copy, HostMemory::allocate(view.data.size(), view.name));
  std::memcpy(weight.copy.data(), view.data.data(), view.data.size());
  weight.dense.data = weight.copy.data();
  return {};
}

// F8_E4M3 times its scales, to BF16: 8 bits of mantissa where the product of the file's 4 and a
// scale's 24 has more.
Status load_rounded(CpuWeight& weight, ThreadPool& pool) {
  HANGAR_TRY(const std::size_t float_bytes, activation_bytes(weight.rows, weight.columns));
  HANGAR_TRY(weight.copy, HostMemory::allocate(float_bytes / 2, weight.view.name));
  auto* to = weight.copy.as<std::uint16_t>();
  pool.parallel_for(weight.rows, (1 << 14) / weight.columns + 1,
                    [&](std::int64_t begin, std::int64_t end, int /*worker*/) {
                      std::vector<float> row(static_cast<std::size_t>(weight.columns));
                      for (std::int64_t r = begin; r < end; ++r) {
                        dequantize_view_row(weight.view, r, row.data());
                        for (std::int64_t c = 0; c < weight.columns; ++c) {
                          to[r * weight.columns + c] =
                              float_to_bfloat16(row[static_cast<std::size_t>(c)]);
                        }
                      }
                    });
  weight.dense = {DType::kBF16, weight.rows, weight.columns, weight.copy.data()};
  weight.form = "BF16, rounded from F8_E4M3";
  return {};
}

Status load_panels(CpuWeight& weight, ThreadPool& pool) {
  HANGAR_TRY(weight.panels, pack_int_panels(weight.view, pool));
  weight.form = fmt::format("int{} groups of {}", weight.panels->bits, weight.panels->group);
  weight.input_order = weight.view.input_order;
  return {};
}

}  // namespace

void CpuWeight::read_row(std::int64_t row, float* out) const {
  if (!view.data.empty()) {
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
  const std::size_t bytes = row_bytes(dense.dtype, columns);
  dequantize_row(dense.dtype,
                 static_cast<const std::byte*>(dense.data) + static_cast<std::size_t>(row) * bytes,
                 out, columns);
}

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
  } else if (view.dtype == DType::kF8E4M3) {
    HANGAR_CHECK_OK(load_rounded(*weight, pool));
  } else if (can_pack_int_panels(view.dtype)) {
    HANGAR_CHECK_OK(load_panels(*weight, pool));
  } else {
    return make_error(ErrorCode::kUnsupported, "tensor {}: the CPU does not compute with {}",
                      view.name, dtype_name(view.dtype));
  }
  weight->memory_bytes =
      weight->panels ? weight->panels->memory.size_bytes() : weight->copy.size_bytes();
  // What was converted for this weight alone is not kept twice.
  if (view.owner && (weight->panels || weight->dense.data == weight->copy.data())) {
    weight->view.data = {};
    weight->view.owner.reset();
  } else if (view.owner) {
    weight->memory_bytes += view.data.size();
  }
  return weight;
}

}  // namespace hangar::cpu
