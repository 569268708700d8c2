// Divisor: division by a number that is known before a launch, without the card's slow division.
//
// Promise: quotient(n) is n / by(), rounded down, remainder(n) what is left.
// Shapes: by() from 1, n from 0, below 2^31 both.
// Source: Granlund and Montgomery, "Division by invariant integers using multiplication", 1994.
// Threads: values; on the host and on the card.
#pragma once

#include <bit>
#include <cstdint>

namespace hangar::cuda {

class Divisor {
 public:
  constexpr Divisor() = default;
  explicit constexpr Divisor(std::int32_t by)
      : by_(by), shift_(std::bit_width(static_cast<std::uint32_t>(by - 1))) {
    const std::uint64_t above = (std::uint64_t{1} << shift_) - static_cast<std::uint64_t>(by);
    multiplier_ = static_cast<std::uint32_t>((above << 32U) / static_cast<std::uint64_t>(by)) + 1;
  }

  constexpr std::int32_t by() const { return by_; }
  constexpr std::int32_t quotient(std::int32_t n) const {
    const auto of = static_cast<std::uint32_t>(n);
    const auto high = static_cast<std::uint32_t>(std::uint64_t{of} * multiplier_ >> 32U);
    return static_cast<std::int32_t>((high + of) >> shift_);
  }
  constexpr std::int32_t remainder(std::int32_t n) const { return n - quotient(n) * by_; }

 private:
  std::int32_t by_ = 1;
  std::int32_t shift_ = 0;
  std::uint32_t multiplier_ = 1;
};

}  // namespace hangar::cuda
