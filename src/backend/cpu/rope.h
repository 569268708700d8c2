// Rotary embedding: angles once per step, rotation of one row.
//
// Promise: RopeAngles::prepare makes cosines and sines for a step's positions and keeps them: the
//   model asks for the same ones in every layer, for queries and keys. rope_row is Backend::rope on
//   one row.
// Threads: prepare: the step thread; rope_row: may run for different rows at once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/backend.h"

namespace hangar::cpu {

class RopeAngles {
 public:
  void prepare(std::span<const std::int32_t> positions, const RopeTable& table);

  std::int64_t pairs() const { return static_cast<std::int64_t>(table_.inverse_frequency.size()); }
  bool interleaved() const { return table_.interleaved; }
  // One row's angles. Halves: `pairs` cosines, then `pairs` sines. Interleaved: (cos, cos) of each
  // pair, then (-sin, sin) of each pair.
  const float* row(std::int64_t r) const { return values_.data() + r * row_floats(); }

 private:
  std::int64_t row_floats() const { return pairs() * (table_.interleaved ? 4 : 2); }

  RopeTable table_;
  std::vector<std::int32_t> positions_;
  std::vector<float> values_;
};

void rope_row(float* x, std::int64_t heads, std::int64_t head_dim, const float* angles,
              std::int64_t pairs, bool interleaved);

}  // namespace hangar::cpu
