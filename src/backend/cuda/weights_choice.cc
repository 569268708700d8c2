#include "backend/cuda/weights_choice.h"

#include <optional>
#include <string_view>

namespace hangar::cuda {
namespace {

bool stays_16_bits(std::string_view name) {
  return name == "token_embd.weight" || name.ends_with("ffn_gate_inp.weight");
}

std::optional<WeightQuant> asked_of_head(const QuantOptions& asked) {
  if (asked.head || asked.matrices != WeightQuant::kNone) return asked.head;
  return WeightQuant::kNone;
}

}  // namespace

WeightForm WeightChoice::form(const TensorView& view) const {
  WeightForm wanted = WeightForm::kDense;
  if (multiplies_fp8_ && !stays_16_bits(view.name)) {
    const auto asked = view.name == "output.weight" ? asked_of_head(asked_) : asked_.matrices;
    const bool fp8 = asked ? *asked == WeightQuant::kFp8 : view.dtype == DType::kF8E4M3;
    if (fp8) wanted = WeightForm::kFp8;
  }
  return form_for(view.rows(), view.columns(), wanted);
}

std::size_t WeightChoice::bytes(const TensorView& view) const {
  return form_bytes(form(view), view.rows(), view.columns());
}

WeightForm WeightChoice::tied_head_form(std::int64_t rows, std::int64_t columns) const {
  const bool fp8 = multiplies_fp8_ && asked_of_head(asked_) == WeightQuant::kFp8;
  return form_for(rows, columns, fp8 ? WeightForm::kFp8 : WeightForm::kDense);
}

}  // namespace hangar::cuda
