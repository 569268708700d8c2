// Calibration: what words cost in tokens on the model that is to be measured, so that a prompt
// meant
//   to have N tokens has N.
//
// Promise: where texts can be tokenized, the words kept are those that are exactly one token after
//   another word; where only a usage can be had, all words are kept with their mean cost. The
//   overhead (template, special tokens) is the part of a real request's usage that words do not
//   explain. With neither, a word counts as one token and `method` says so.
// Units: tokens.
// Errors: those of the two functions.
// Threads: as the functions given.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bench/prompts.h"

namespace hangar::bench {

// nullopt: this cannot be had here. An error: it ought to be had, and asking failed.
using TokenCounter = std::function<Result<std::optional<std::int64_t>>(const std::string& text)>;

struct CalibrationSources {
  TokenCounter tokenize;      // tokens of a bare text
  TokenCounter prompt_usage;  // tokens that a request with this text as its prompt is counted as
};

Result<WordCost> calibrate_words(std::span<const std::string_view> words,
                                 const CalibrationSources& sources);

}  // namespace hangar::bench
