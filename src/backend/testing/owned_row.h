// OwnedRow: a SampleRow with what it looks at, for tests of samplers.
//
// Promise: get() is the row for one row of logits; it looks at the OwnedRow's lists.
// Threads: a value.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "backend/backend.h"

namespace hangar {

struct OwnedRow {
  SampleRow row;
  std::vector<std::pair<std::int32_t, float>> bias;
  std::vector<std::int32_t> seen;
  std::vector<TokenCount> counts;
  std::vector<std::int32_t> banned;

  SampleRow get(std::int32_t logits_row) const {
    SampleRow result = row;
    result.row = logits_row;
    result.bias = bias;
    result.seen = seen;
    result.counts = counts;
    result.banned = banned;
    return result;
  }
};

}  // namespace hangar
