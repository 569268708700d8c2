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

// blk.0.ffn_up_exps.weight, or of one alone blk.0.ffn_up.5.weight.
bool is_of_experts(std::string_view name) {
  if (name.find("_exps.") != std::string_view::npos) return true;
  if (!name.ends_with(".weight")) return false;
  name.remove_suffix(std::string_view(".weight").size());
  return !name.empty() && name.back() >= '0' && name.back() <= '9' &&
         name.substr(name.rfind('.') + 1).find_first_not_of("0123456789") == std::string_view::npos;
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
                          what, kWeightQuantNames.of(quant), kHeadQuantNames.of(quant), card),
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

std::size_t WeightChoice::copy_bytes(const TensorView& view) const {
  const std::int64_t rows = view.rows();
  const std::int64_t columns = view.columns();
  if (form(view) != WeightForm::kInt4 || is_of_experts(view.name)) return 0;
  const bool rounds = rounded(asked_.copies);
  if (!takes_int4_copy(int4_form_for(view), columns, rounds)) return 0;
  return int4_copy_bytes(rows, columns, rounds);
}

bool WeightChoice::gives_up_int4(const TensorView& view) const {
  if (!view.input_order) return false;
  TensorView in_order = view;
  in_order.input_order = nullptr;
  return form(view) == WeightForm::kDense && form(in_order) == WeightForm::kInt4;
}

bool WeightChoice::wants_copies(std::uint64_t bytes, std::uint64_t left) const {
  constexpr std::uint64_t kShare = 8;  // of what is left, at most: keys and values want the rest
  switch (asked_.copies) {
    case WeightCopies::kExact:
    case WeightCopies::kRounded:
      return true;
    case WeightCopies::kOff:
      return false;
    case WeightCopies::kAuto:
      break;
  }
  return bytes <= left / kShare;
}

WeightForm WeightChoice::tied_head_form(std::int64_t rows, std::int64_t columns) const {
  return form_for(rows, columns, wanted(asked_of_head(asked_).value_or(WeightQuant::kNone)));
}

}  // namespace hangar::cuda
