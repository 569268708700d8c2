// WeightChoice: in which form each weight of a model is kept on the card, and what that takes.
//
// Promise: as QuantOptions says, by what a tensor is (its name, and whether it has one row): tables
//   of embeddings and the weights that score experts have 16 bits always, the head has its own
//   choice; so have all on a card without FP8 products, and what form_for() keeps from FP8. It
//   asks nothing of a view but name, type and shape: views without data and scales will do.
// Units: bytes.
// Errors: none.
// Threads: a value.
#pragma once

#include <cstddef>

#include "backend/cuda/weights.h"
#include "tensor/tensor_view.h"
#include "tensor/weight_quant.h"

namespace hangar::cuda {

class WeightChoice {
 public:
  WeightChoice(const QuantOptions& asked, bool multiplies_fp8)
      : asked_(asked), multiplies_fp8_(multiplies_fp8) {}

  WeightForm form(const TensorView& view) const;
  std::size_t bytes(const TensorView& view) const;
  // Of a head whose weight is the embedding's table; kDense: the table itself.
  WeightForm tied_head_form(std::int64_t rows, std::int64_t columns) const;

 private:
  QuantOptions asked_;
  bool multiplies_fp8_ = false;
};

}  // namespace hangar::cuda
