#include "backend/cpu/int_panels.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "quant/int_groups.h"
#include "tensor/float16.h"

namespace hangar::cpu {
namespace {

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

// Types whose scales (and minimums) are f16 numbers of the file itself.
bool has_half_scales(DType dtype) {
  return dtype != DType::kQ4_K && dtype != DType::kQ5_K && dtype != DType::kQ6_K;
}

// One row of the file, unpacked.
struct UnpackedRow {
  std::vector<std::int8_t> values;
  std::vector<float> scales;
  std::vector<float> minimums;
};

class PanelWriter {
 public:
  explicit PanelWriter(const IntPanels& w) : w_(w) {}

  void write_row(std::byte* panel, std::int64_t lane, const UnpackedRow& row) const {
    for (std::int64_t g = 0; g < w_.groups(); ++g) {
      write_number(panel, g * kPanelRows + lane, row.scales[static_cast<std::size_t>(g)]);
      if (w_.has_minimum) {
        write_number(panel + w_.minimums_at, g * kPanelRows + lane,
                     row.minimums[static_cast<std::size_t>(g)]);
      }
    }
    auto* values = reinterpret_cast<std::uint8_t*>(panel + w_.values_at);
    const std::int8_t* from = row.values.data();
    if (w_.bits == 8) {
      for (std::int64_t c = 0; c < w_.columns; ++c) {
        values[c / 4 * 64 + lane * 4 + c % 4] = static_cast<std::uint8_t>(from[c] + 128);
      }
      return;
    }
    for (std::int64_t c = 0; c < w_.columns; c += 8) {
      std::uint8_t* pair = values + c / 8 * 64 + lane * 4;
      for (std::int64_t i = 0; i < 4; ++i) {
        pair[i] = static_cast<std::uint8_t>(from[c + i] | (from[c + 4 + i] << 4));
      }
    }
  }

 private:
  void write_number(std::byte* section, std::int64_t index, float value) const {
    if (w_.half_scales) {
      const std::uint16_t half = float_to_half(value);
      std::memcpy(section + index * 2, &half, sizeof(half));
    } else {
      std::memcpy(section + index * 4, &value, sizeof(value));
    }
  }

  const IntPanels& w_;
};

}  // namespace

bool can_pack_int_panels(DType dtype) {
  return int_group_layout(dtype).has_value();
}

Result<IntPanels> pack_int_panels(const TensorView& view, ThreadPool& pool) {
  const IntGroupLayout layout = int_group_layout(view.dtype).value();
  IntPanels w;
  w.rows = view.rows();
  w.columns = view.columns();
  w.bits = layout.bits;
  w.group = layout.group;
  // Q4_0's minimum is -8 * scale: a zero point of 8 says the same without being stored or added.
  const bool symmetric4 = view.dtype == DType::kQ4_0;
  w.zero_point = layout.bits == 8 ? 128 : (symmetric4 ? 8 : 0);
  w.has_minimum = layout.has_minimum && !symmetric4;
  w.half_scales = has_half_scales(view.dtype);

  const std::int64_t section_bytes = aligned(w.groups() * kPanelRows * (w.half_scales ? 2 : 4));
  w.minimums_at = section_bytes;
  w.values_at = section_bytes + (w.has_minimum ? section_bytes : 0);
  w.panel_bytes = w.values_at + w.columns * kPanelRows * w.bits / 8;
  const auto bytes = checked_product({w.panels(), w.panel_bytes});
  if (!bytes) {
    return make_error(ErrorCode::kResourceExhausted, "tensor {} does not fit an address",
                      view.name);
  }
  HANGAR_TRY(w.memory, HostMemory::allocate(*bytes, view.name));

  const PanelWriter writer(w);
  const std::size_t file_row_bytes = row_bytes(view.dtype, w.columns);
  const auto pack = [&](std::int64_t begin, std::int64_t end, int /*worker*/) {
    UnpackedRow row;
    row.values.resize(static_cast<std::size_t>(w.columns));
    row.scales.resize(static_cast<std::size_t>(w.groups()));
    row.minimums.resize(static_cast<std::size_t>(w.groups()));
    for (std::int64_t r = begin * kPanelRows; r < std::min(w.rows, end * kPanelRows); ++r) {
      unpack_int_groups(view.dtype, view.data.data() + static_cast<std::size_t>(r) * file_row_bytes,
                        w.columns, row.values.data(), row.scales.data(), row.minimums.data());
      writer.write_row(w.memory.data() + r / kPanelRows * w.panel_bytes, r % kPanelRows, row);
    }
  };
  pool.parallel_for(w.panels(), 4, pack);
  return w;
}

}  // namespace hangar::cpu
