#include "backend/cpu/prepared_panels.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <sstream>

namespace hangar::cpu {
namespace {

// Beside the panels of a tensor whose columns are in another order: id.columns indices.
std::string order_name(const PreparedId& id) {
  return std::string(id.name) + " (order)";
}

std::string form_of(const CpuWeight& weight) {
  if (weight.dense) return fmt::format("dense {}", dtype_name(weight.dense->dtype));
  const IntPanels& w = *weight.panels;
  return fmt::format("int {} {} {} {} {}", w.bits, w.group, w.zero_point, w.half_scales ? 1 : 0,
                     static_cast<int>(w.offset));
}

std::optional<IntPanels> int_panels_of(std::istringstream& form, const PreparedSection& section,
                                       const TensorView& view) {
  IntPanels w;
  int half = -1;
  int offset = -1;
  form >> w.bits >> w.group >> w.zero_point >> half >> offset;
  if (!form || (w.bits != 4 && w.bits != 8) || (w.group != 16 && w.group != 32) || half < 0 ||
      half > 1 || offset < 0 || offset > static_cast<int>(PanelOffset::kNegatedZero)) {
    return std::nullopt;
  }
  w.rows = view.rows();
  w.columns = view.columns();
  w.half_scales = half == 1;
  w.offset = static_cast<PanelOffset>(offset);
  if (w.columns % w.group != 0 || place_sections(w) != section.data.size()) return std::nullopt;
  w.memory = HostMemory::borrow(section.data, section.owner);
  return w;
}

std::optional<DensePanels> dense_panels_of(std::istringstream& form, const PreparedSection& section,
                                           const TensorView& view) {
  std::string type;
  form >> type;
  DensePanels w;
  bool known = false;
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    if (dtype_name(dtype) != type) continue;
    w.dtype = dtype;
    known = true;
  }
  w.rows = view.rows();
  w.columns = view.columns();
  if (!known || place_panels(w) != section.data.size()) return std::nullopt;
  w.memory = HostMemory::borrow(section.data, section.owner);
  return w;
}

// Nothing where there is no order; nullptr where it is not one.
std::optional<std::shared_ptr<const InputOrder>> order_of(const PreparedId& id,
                                                          const PreparedWeights& prepared) {
  const std::string name = order_name(id);
  const auto section = prepared.find({name, id.first_row, 1, id.columns});
  if (!section) return std::nullopt;
  auto order = std::make_shared<InputOrder>(static_cast<std::size_t>(id.columns));
  if (section->data.size() != order->size() * sizeof(std::int32_t)) return nullptr;
  std::memcpy(order->data(), section->data.data(), section->data.size());
  std::vector<bool> seen(order->size());
  for (const std::int32_t column : *order) {
    if (column < 0 || column >= id.columns || seen[static_cast<std::size_t>(column)]) {
      return nullptr;
    }
    seen[static_cast<std::size_t>(column)] = true;
  }
  return order;
}

// A hash that is the same everywhere: FNV-1a.
class Digest {
 public:
  void add(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) {
      hash_ = (hash_ ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3;
    }
  }
  std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

}  // namespace

std::string panel_layout() {
  constexpr std::int64_t kRows = 19;  // a whole panel and a short one
  constexpr std::int64_t kColumns = 512;
  ThreadPool alone(1);
  Digest digest;
  for (int number = 0; number <= static_cast<int>(DType::kF8E4M3); ++number) {
    TensorView view;
    view.dtype = static_cast<DType>(number);
    if (!can_pack_int_panels(view.dtype) && !can_pack_dense_panels(view.dtype)) continue;
    view.shape = {kRows, kColumns};
    std::vector<std::byte> bytes(row_bytes(view.dtype, kColumns) * kRows);
    // All numbers in them are small and finite, whatever the type.
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<std::byte>((i * 37 + i / 59) % 59);
    }
    view.data = bytes;
    const auto weight = load_cpu_weight(view, alone);
    if (!weight) continue;
    const std::string form = form_of(**weight);
    digest.add(std::as_bytes(std::span(form)));
    const HostMemory& memory =
        (*weight)->dense ? (*weight)->dense->memory : (*weight)->panels->memory;
    digest.add({memory.data(), memory.size_bytes()});
  }
  return fmt::format("panels {:016x}", digest.value());
}

Status save_panels(const PreparedId& id, const CpuWeight& weight, PreparedSink& sink) {
  if (!weight.panels && !weight.dense) return {};
  if (weight.input_order) {
    const std::string name = order_name(id);
    HANGAR_CHECK_OK(sink.add({name, id.first_row, 1, id.columns}, "order",
                             std::as_bytes(std::span(*weight.input_order))));
  }
  const HostMemory& memory = weight.dense ? weight.dense->memory : weight.panels->memory;
  return sink.add(id, form_of(weight), {memory.data(), memory.size_bytes()});
}

std::unique_ptr<CpuWeight> restore_panels(const TensorView& view, const PreparedWeights& prepared) {
  const PreparedId id = prepared_id(view);
  const auto section = prepared.find(id);
  if (!section) return nullptr;
  auto weight = std::make_unique<CpuWeight>();
  weight->view = view;
  weight->rows = view.rows();
  weight->columns = view.columns();
  weight->memory_bytes = section->data.size();
  std::istringstream form{std::string(section->form)};
  std::string kind;
  form >> kind;
  if (kind == "int") {
    weight->panels = int_panels_of(form, *section, view);
  } else if (kind == "dense") {
    weight->dense = dense_panels_of(form, *section, view);
  }
  const auto order = order_of(id, prepared);
  if (order) weight->input_order = *order;
  if ((!weight->panels && !weight->dense) || (order && *order == nullptr)) {
    spdlog::warn("prepared weights: tensor {} is not as its form '{}' says; it is packed anew",
                 view.name, section->form);
    return nullptr;
  }
  weight->name_form();
  // Data that a format lists without their scales.
  if (view.dtype == DType::kF8E4M3) weight->view.data = {};
  return weight;
}

}  // namespace hangar::cpu
