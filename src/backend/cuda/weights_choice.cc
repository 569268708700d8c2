#include "backend/cuda/weights_choice.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <utility>

#include "backend/cuda/int4_pack.h"

namespace hangar::cuda {
namespace {

bool stays_16_bits(std::string_view name) {
  return name == "token_embd.weight" || name.ends_with("ffn_gate_inp.weight");
}

std::optional<WeightQuant> asked_of_head(const QuantOptions& asked) {
  if (asked.head || asked.matrices != WeightQuant::kNone) return asked.head;
  return WeightQuant::kNone;
}

// What a file's own numbers ask for.
WeightQuant own_quant(const TensorView& view) {
  if (view.dtype == DType::kF8E4M3) return WeightQuant::kFp8;
  return packed_form(view) ? WeightQuant::kInt4 : WeightQuant::kNone;
}

Status check_asked(WeightQuant quant, std::string_view what, const QuantOptions& asked,
                   std::string_view card) {
  if (asked.matrices != quant && asked.head != quant) return {};
  Error error{ErrorCode::kUnsupported,
              fmt::format("{} weights (--quant {}, --quant-head {}) need a card of compute "
                          "capability 9.0 (H100, H200); here is {}. Without these options weights "
                          "are kept in 16 bits",
                          what, weight_quant_name(quant), head_quant_name(quant), card),
              asked.matrices == quant ? "quant" : "quant_head"};
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace

Status check_quant(const QuantOptions& asked, bool hopper, std::string_view card) {
  if (hopper) return {};
  HANGAR_CHECK_OK(check_asked(WeightQuant::kFp8, "FP8", asked, card));
  return check_asked(WeightQuant::kInt4, "4-bit", asked, card);
}

WeightForm WeightChoice::wanted(WeightQuant quant) const {
  if (quant == WeightQuant::kFp8 && multiplies_fp8_) return WeightForm::kFp8;
  if (quant == WeightQuant::kInt4 && multiplies_int4_) return WeightForm::kInt4;
  return WeightForm::kDense;
}

WeightForm WeightChoice::form(const TensorView& view) const {
  WeightQuant quant = WeightQuant::kNone;
  if (!stays_16_bits(view.name)) {
    const auto asked = view.name == "output.weight" ? asked_of_head(asked_) : asked_.matrices;
    quant = asked.value_or(own_quant(view));
  }
  return form_for(view.rows(), view.columns(), wanted(quant));
}

std::size_t WeightChoice::bytes(const TensorView& view) const {
  return form_bytes(form(view), view.rows(), view.columns(), int4_form_for(view));
}

bool WeightChoice::gives_up_int4(const TensorView& view) const {
  if (!view.input_order) return false;
  TensorView in_order = view;
  in_order.input_order = nullptr;
  return form(view) == WeightForm::kDense && form(in_order) == WeightForm::kInt4;
}

WeightForm WeightChoice::tied_head_form(std::int64_t rows, std::int64_t columns) const {
  return form_for(rows, columns, wanted(asked_of_head(asked_).value_or(WeightQuant::kNone)));
}

}  // namespace hangar::cuda
