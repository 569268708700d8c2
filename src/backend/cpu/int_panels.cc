#include "backend/cpu/int_panels.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "quant/group32.h"
#include "quant/int_groups.h"
#include "tensor/float16.h"

namespace hangar::cpu {
namespace {

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

// Types whose scales (and minimums) are f16 numbers of the file itself.
bool has_half_scales(DType dtype) {
  switch (dtype) {
    case DType::kQ4_0:
    case DType::kQ4_1:
    case DType::kQ5_0:
    case DType::kQ5_1:
    case DType::kQ8_0:
    case DType::kIQ4_NL:
      return true;
    default:
      return false;
  }
}

bool fits_half(float value) {
  return half_to_float(float_to_half(value)) == value;
}

// One row of the file, unpacked.
struct UnpackedRow {
  UnpackedRow(std::int64_t columns, std::int64_t groups)
      : values(static_cast<std::size_t>(columns)),
        scales(static_cast<std::size_t>(groups)),
        offsets(static_cast<std::size_t>(groups)) {}
  void load(const TensorView& view, std::int64_t r) {
    const std::size_t bytes = row_bytes(view.dtype, std::ssize(values));
    unpack_int_groups(view.dtype, view.data.data() + static_cast<std::size_t>(r) * bytes,
                      std::ssize(values), values.data(), scales.data(), offsets.data());
  }

  std::vector<std::int8_t> values;
  std::vector<float> scales;
  std::vector<float> offsets;
};

// What the scales and zero points of a canonical form's groups have in common.
struct ZeroSurvey {
  bool half_scales = true;  // every scale is an f16 number
  bool half_zeros = true;   // every zero point too
  bool symmetric = true;    // every zero point is the middle of the codes
};

ZeroSurvey survey_zeros(const TensorView& view) {
  const DTypeInfo& info = dtype_info(view.dtype);
  const std::int32_t middle = view.dtype == DType::kInt4G32 ? 8 : 128;
  ZeroSurvey survey;
  for (std::size_t at = 0; at < view.data.size(); at += info.block_bytes) {
    const Group32 group =
        load_group32(reinterpret_cast<const std::uint8_t*>(view.data.data() + at));
    survey.half_scales = survey.half_scales && fits_half(group.scale);
    survey.half_zeros = survey.half_zeros && fits_half(static_cast<float>(group.zero));
    survey.symmetric = survey.symmetric && group.zero == middle;
  }
  return survey;
}

// The form that panels keep this tensor's scales and offsets in.
void choose_form(IntPanels& w, const TensorView& view, GroupOffset offset) {
  w.zero_point = w.bits == 8 ? 128 : 0;
  if (offset != GroupOffset::kZero) {
    w.half_scales = has_half_scales(view.dtype);
    // Q4_0's minimum is -8 * scale: a zero point of 8 says the same without being stored or added.
    const bool symmetric = view.dtype == DType::kQ4_0;
    if (symmetric) w.zero_point = 8;
    w.offset =
        offset == GroupOffset::kMinimum && !symmetric ? PanelOffset::kMinimum : PanelOffset::kNone;
    return;
  }
  const ZeroSurvey survey = survey_zeros(view);
  w.half_scales = survey.half_scales;
  if (survey.symmetric) {
    if (w.bits == 4) w.zero_point = 8;
    return;
  }
  if (w.bits == 4 && survey.half_scales && survey.half_zeros) {
    w.offset = PanelOffset::kNegatedZero;
    return;
  }
  // The product of an f16 scale and a zero point wants more than f16's bits.
  w.half_scales = false;
  w.offset = PanelOffset::kMinimum;
}

// From the row's offsets to those that panels of this form store.
void convert_offsets(const IntPanels& w, UnpackedRow& row) {
  for (std::size_t g = 0; g < row.offsets.size(); ++g) {
    row.offsets[g] =
        w.offset == PanelOffset::kNegatedZero ? -row.offsets[g] : -row.offsets[g] * row.scales[g];
  }
}

class PanelWriter {
 public:
  explicit PanelWriter(const IntPanels& w) : w_(w) {}

  void write_row(std::byte* panel, std::int64_t lane, const UnpackedRow& row) const {
    for (std::int64_t g = 0; g < w_.groups(); ++g) {
      write_number(panel, g * kPanelRows + lane, row.scales[static_cast<std::size_t>(g)]);
      if (w_.offset != PanelOffset::kNone) {
        write_number(panel + w_.offsets_at, g * kPanelRows + lane,
                     row.offsets[static_cast<std::size_t>(g)]);
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

std::optional<std::size_t> place_sections(IntPanels& w) {
  const std::int64_t section_bytes = aligned(w.groups() * kPanelRows * (w.half_scales ? 2 : 4));
  w.offsets_at = section_bytes;
  w.values_at = section_bytes + (w.offset != PanelOffset::kNone ? section_bytes : 0);
  w.panel_bytes = w.values_at + w.columns * kPanelRows * w.bits / 8;
  return checked_product({w.panels(), w.panel_bytes});
}

Result<IntPanels> pack_int_panels(const TensorView& view, ThreadPool& pool) {
  const IntGroupLayout layout = int_group_layout(view.dtype).value();
  IntPanels w;
  w.rows = view.rows();
  w.columns = view.columns();
  w.bits = layout.bits;
  w.group = layout.group;
  choose_form(w, view, layout.offset);

  const auto bytes = place_sections(w);
  if (!bytes) {
    return make_error(ErrorCode::kResourceExhausted, "tensor {} does not fit an address",
                      view.name);
  }
  HANGAR_TRY(w.memory, HostMemory::allocate(*bytes, view.name));

  const PanelWriter writer(w);
  const auto pack = [&](std::int64_t begin, std::int64_t end, int /*worker*/) {
    UnpackedRow row(w.columns, w.groups());
    for (std::int64_t r = begin * kPanelRows; r < std::min(w.rows, end * kPanelRows); ++r) {
      row.load(view, r);
      if (layout.offset == GroupOffset::kZero) convert_offsets(w, row);
      writer.write_row(w.memory.data() + r / kPanelRows * w.panel_bytes, r % kPanelRows, row);
    }
  };
  pool.parallel_for(w.panels(), 4, pack);
  return w;
}

void dequantize_panel_row(const IntPanels& w, std::int64_t row, float* out) {
  const std::byte* panel = w.panel(row / kPanelRows);
  const std::int64_t lane = row % kPanelRows;
  const auto number = [&](std::int64_t section, std::int64_t g) {
    const std::byte* at = panel + section + (g * kPanelRows + lane) * (w.half_scales ? 2 : 4);
    if (!w.half_scales) {
      float value;
      std::memcpy(&value, at, sizeof(value));
      return value;
    }
    std::uint16_t half;
    std::memcpy(&half, at, sizeof(half));
    return half_to_float(half);
  };
  const auto* values = reinterpret_cast<const std::uint8_t*>(panel + w.values_at);
  for (std::int64_t c = 0; c < w.columns; ++c) {
    const std::int64_t g = c / w.group;
    const float scale = number(0, g);
    int code = 0;
    if (w.bits == 8) {
      code = values[c / 4 * 64 + lane * 4 + c % 4];
    } else {
      const unsigned both = values[c / 8 * 64 + lane * 4 + c % 4];
      code = static_cast<int>(c % 8 < 4 ? both & 15U : both >> 4U);
    }
    const auto q = static_cast<float>(code - w.zero_point);
    switch (w.offset) {
      case PanelOffset::kNone:
        out[c] = scale * q;
        break;
      case PanelOffset::kMinimum:
        out[c] = scale * q + number(w.offsets_at, g);
        break;
      case PanelOffset::kNegatedZero:
        out[c] = scale * (q + number(w.offsets_at, g));
        break;
    }
  }
}

}  // namespace hangar::cpu
