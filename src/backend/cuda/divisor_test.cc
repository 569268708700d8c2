#include "backend/cuda/divisor.h"

#include <gtest/gtest.h>

#include <limits>

namespace hangar::cuda {
namespace {

TEST(DivisorTest, DividesAsTheProcessorDoes) {
  constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
  for (std::int32_t by = 1; by <= 300; ++by) {
    const Divisor divisor(by);
    EXPECT_EQ(divisor.by(), by);
    for (std::int32_t n = 0; n < 2000; ++n) {
      ASSERT_EQ(divisor.quotient(n), n / by) << n << " by " << by;
      ASSERT_EQ(divisor.remainder(n), n % by) << n << " by " << by;
    }
  }
  // Where rounding would show: around multiples, up to the ends of both ranges.
  for (const std::int32_t by :
       {1, 2, 3, 7, 127, 128, 641, 65535, 65536, 1 << 30, kMost - 1, kMost}) {
    const Divisor divisor(by);
    for (const std::int32_t times : {kMost / by, kMost / by / 2, kMost / by / 3 + 1}) {
      const std::int64_t multiple = std::int64_t{times} * by;
      for (std::int64_t n = multiple - 2; n <= multiple + 2; ++n) {
        if (n < 0 || n > kMost) continue;
        const auto of = static_cast<std::int32_t>(n);
        ASSERT_EQ(divisor.quotient(of), of / by) << n << " by " << by;
      }
    }
    EXPECT_EQ(divisor.quotient(kMost), kMost / by) << by;
  }
}

}  // namespace
}  // namespace hangar::cuda
