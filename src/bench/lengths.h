// LengthDistribution: how long prompts and outputs are, as a user writes it.
//
// Promise: "fixed:N" (or just N), "uniform:A-B" (both ends included), "normal:MEAN,SD" and
//   "lognormal:MEAN,SD" (mean and deviation of the lengths themselves, not of their logarithm).
//   sample() is at least 1 and at most kMostTokens.
// Errors: parse: kInvalidArgument with the forms there are.
// Threads: values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bench/random.h"

namespace hangar::bench {

class LengthDistribution {
 public:
  static constexpr std::int32_t kMostTokens = 1 << 24;

  static Result<LengthDistribution> parse(std::string_view text);
  static LengthDistribution fixed(std::int32_t tokens);

  std::int32_t sample(Random& random) const;
  const std::string& text() const { return text_; }

 private:
  enum class Kind : std::uint8_t { kFixed, kUniform, kNormal, kLogNormal };

  Kind kind_ = Kind::kFixed;
  double first_ = 1.0;   // N; A; mean
  double second_ = 0.0;  // -; B; deviation
  std::string text_ = "fixed:1";
};

}  // namespace hangar::bench
