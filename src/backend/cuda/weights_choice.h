// WeightChoice: in which form each weight of a model is kept on the card, and what that takes.
//
// Promise: as QuantOptions says, by what a tensor is (its name, and whether it has one row): tables
//   of embeddings and the weights that score experts have 16 bits always, the head has its own
//   choice; so have all on a card without such products, and what form_for() keeps from fewer
//   bits. Where nothing is asked, numbers of 4 bits in the order of their inputs (packed_form())
//   and FP8 stay as they are. It asks nothing of a view but name, type, shape, groups and whether
//   inputs are reordered: views without data and scales will do.
// Units: bytes.
// Errors: check_quant: kUnsupported; the rest: none.
// Threads: a value.
#pragma once

#include <cstddef>
#include <string_view>

#include "backend/cuda/weights.h"
#include "base/result.h"
#include "tensor/tensor_view.h"
#include "tensor/weight_quant.h"

namespace hangar::cuda {

// Whether inputs of their products are quantized to 8 bits.
inline bool is_few_bits(WeightForm form) {
  return form == WeightForm::kFp8 || form == WeightForm::kInt4;
}

// Whether the card, described so, has products for what was asked: those of fewer bits are
// Hopper's. kUnsupported, naming the option, if not.
Status check_quant(const QuantOptions& asked, bool hopper, std::string_view card);

class WeightChoice {
 public:
  WeightChoice(const QuantOptions& asked, bool multiplies_fp8, bool multiplies_int4)
      : asked_(asked), multiplies_fp8_(multiplies_fp8), multiplies_int4_(multiplies_int4) {}

  WeightForm form(const TensorView& view) const;
  std::size_t bytes(const TensorView& view) const;
  // Of its copy for many rows (int4_copy.h); 0: it has none. Experts have none: their rows are few.
  std::size_t copy_bytes(const TensorView& view) const;
  // Whether its 4 bits are given up for 16 because its inputs come in another order (act-order).
  bool gives_up_int4(const TensorView& view) const;
  // Whether copies of so many bytes are worth it, where so many are left without them.
  bool wants_copies(std::uint64_t bytes, std::uint64_t left) const;
  // Of a head whose weight is the embedding's table; kDense: the table itself.
  WeightForm tied_head_form(std::int64_t rows, std::int64_t columns) const;

 private:
  WeightForm wanted(WeightQuant quant) const;

  QuantOptions asked_;
  bool multiplies_fp8_ = false;
  bool multiplies_int4_ = false;
};

}  // namespace hangar::cuda
