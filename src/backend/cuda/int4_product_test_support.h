// What the tests of 4-bit products share: strips of random numbers, on the host and on the card.
//
// Promise: random_strips()' numbers are about 1e-2 in size. Tests are skipped where there is no
//   Hopper card.
// Threads: one.
#pragma once

#include <cstdint>
#include <random>

#include "backend/cuda/int4_test_support.h"
#include "backend/cuda/matmul_test_support.h"

namespace hangar::cuda {

inline constexpr Int4Form kInt4Forms[] = {Int4Form::kZero128, Int4Form::kZero32, Int4Form::kMin32,
                                          Int4Form::kSuper32};

inline constexpr double kLargestMinimum = 0.02;  // of random_strips()

class Int4ProductTest : public ProductTest {
 protected:
  void SetUp() override {
    ProductTest::SetUp();
    if (IsSkipped()) return;
    if (!launch_.hopper) GTEST_SKIP() << "4-bit products are a Hopper card's";
  }

  std::int64_t random_int(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }

  HostStrips random_strips(Int4Form form, std::int64_t rows, std::int64_t columns) {
    HostStrips strips(form, rows, columns);
    std::uniform_real_distribution<float> size(0.5F, 1.0F);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) {
        if (form == Int4Form::kSuper32) {
          if (c % 128 == 0) strips.set_units(r, c, 3e-5F * size(random_), 2e-4F * size(random_));
          if (c % 32 == 0) {
            strips.set_factors(r, c, static_cast<int>(random_int(0, 63)),
                               static_cast<int>(random_int(0, 63)));
          }
        } else if (c % (form == Int4Form::kZero128 ? 128 : 32) == 0) {
          const auto zero = static_cast<float>(random_int(-3, 20));
          strips.set_pair(r, c, 1e-3F * size(random_),
                          form == Int4Form::kMin32 ? -8e-3F * size(random_) : zero);
        }
        strips.set_code(r, c, static_cast<int>(random_int(0, 15)));
      }
    }
    return strips;
  }
  void* put_strips(const HostStrips& strips) {
    void* at = take(strips.bytes().size(), 16);
    HANGAR_CUDA(cudaMemcpyAsync(at, strips.bytes().data(), strips.bytes().size(),
                                cudaMemcpyHostToDevice, launch_.stream));
    HANGAR_CUDA(cudaStreamSynchronize(launch_.stream));
    return at;
  }
};

}  // namespace hangar::cuda
