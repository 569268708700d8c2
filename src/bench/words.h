// The words that synthetic prompts are made of.
//
// Promise: short, common, lower-case English words without punctuation: nearly all are one token in
//   any vocabulary of today; calibration.h finds out which.
// Threads: any.
#pragma once

#include <span>
#include <string_view>

namespace hangar::bench {

std::span<const std::string_view> common_words();

}  // namespace hangar::bench
