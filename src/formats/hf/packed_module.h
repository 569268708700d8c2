// PackedModule: a linear layer stored as small integers with a scale and a zero point for each
// group of inputs, however its format packs them; and the canonical form it is brought to.
//
// Promise: weight (o, i) is scale * (code - zero), computed in float32. canonical_view is what
//   read_canonical gives, without data: INT4_G32 or INT8_G32, its columns in the groups' order; F32
//   where 32 neighbours of that order do not all share a group. Its group_columns are the groups'
//   size, all columns where they are one group, and 0 where sizes differ.
// Shapes: rows are outputs, columns are inputs.
// Errors: none of its own; a format makes one when it has checked the tensors.
// Lifetime: reads the folder's mapped tensors.
// Threads: const and thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "quant/group32.h"
#include "tensor/tensor_view.h"

namespace hangar::hf {

class PackedModule {
 public:
  virtual ~PackedModule() = default;
  // The integers of output `row` and these input features, 0 .. 2^bits - 1.
  virtual void codes(std::int64_t row, std::span<const std::int64_t> inputs,
                     std::uint8_t* q) const = 0;
  virtual Group32 group(std::int64_t row, std::int64_t g) const = 0;

  std::string name;  // of the weight: "model.layers.0.mlp.up_proj.weight"
  int bits = 4;      // 4 or 8
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  // Stored column j is input (*input_order)[j]; nullptr: input j.
  std::shared_ptr<const std::vector<std::int32_t>> input_order;
  std::vector<std::int32_t> group_of;  // of each stored column

  std::int64_t input(std::int64_t column) const {
    return input_order ? (*input_order)[static_cast<std::size_t>(column)] : column;
  }
  // Groups of `size` neighbouring inputs.
  void group_in_order(std::int64_t size);
  // By each input's group: sorts the columns by it, where they are not, keeping the order of
  // equals.
  void group_by_index(const std::vector<std::int32_t>& group_of_input);
};

TensorView canonical_view(const PackedModule& module);
TensorView read_canonical(const PackedModule& module);

}  // namespace hangar::hf
