// What the tests of backend/cuda share: a card or a reason to skip, the reference beside it, random
// data in the card's memory.
//
// Promise: a CudaOpsTest runs once for each type of 16 bits, on a backend that takes 2 GiB of the
//   card. Values that a test compares are rounded to that type first, so that both sides begin with
//   the same numbers.
// Threads: one.
#pragma once

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backend/cuda/cuda_backend.h"
#include "backend/registry.h"
#include "tensor/float16.h"

namespace hangar::cuda {

// Under racecheck a launch takes up to seconds: a build for it has fewer of them, of the same
// kernels.
#ifdef HANGAR_CUDA_FOR_RACECHECK
inline constexpr bool kFewLaunches = true;
#else
inline constexpr bool kFewLaunches = false;
#endif
// Of a test's many cases such a build runs every n-th. Where n has no factor in common with the
// lengths of the loops, each value of each loop still has its turn.
constexpr bool left_out(int turn, int n) {
  return kFewLaunches && turn % n != 0;
}

inline bool card_present() {
  int count = 0;
  const bool there = cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
  (void)cudaGetLastError();
  return there;
}

class CudaOpsTest : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    if (!card_present()) GTEST_SKIP() << "no CUDA card here";
    auto made = make_cuda_backend(options());
    ASSERT_TRUE(made.has_value()) << made.error().message;
    cuda_ = std::move(*made);
    ref_ = make_backend("ref", 1).value();
  }

  // Of the backend.
  virtual BackendOptions options() const {
    BackendOptions options;
    options.device_memory_bytes = 2ULL << 30U;
    options.work_type = work_type();
    return options;
  }
  DType work_type() const { return GetParam(); }
  // Of one rounding to the work type.
  float epsilon() const { return work_type() == DType::kBF16 ? 0x1p-8F : 0x1p-11F; }
  float rounded(float value) const {
    return work_type() == DType::kBF16 ? bfloat16_to_float(float_to_bfloat16(value))
                                       : half_to_float(float_to_half(value));
  }
  std::vector<float> random_floats(std::int64_t n, float deviation = 1.0F) {
    std::normal_distribution<float> normal(0.0F, deviation);
    std::vector<float> values(static_cast<std::size_t>(n));
    for (float& value : values) value = rounded(normal(random_));
    return values;
  }
  std::int64_t random_int(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }
  // A view of floats that lives as long as the test.
  TensorView float_view(std::vector<std::int64_t> shape, std::vector<float> values) {
    floats_.push_back(std::move(values));
    return {"w", DType::kF32, std::move(shape), std::as_bytes(std::span(floats_.back()))};
  }
  TensorView random_view(std::int64_t rows, std::int64_t columns, float deviation = 0.1F) {
    return float_view({rows, columns}, random_floats(rows * columns, deviation));
  }

  static Activation make(Backend& backend, std::int64_t rows, std::int64_t columns,
                         const std::vector<float>& values,
                         ActivationPrecision precision = ActivationPrecision::kWork) {
    const Activation x = backend.allocate(rows, columns, precision).value();
    backend.write(x, values);
    return x;
  }
  // Filled with NaN: what an operation does not write shows.
  static Activation make_empty(Backend& backend, std::int64_t rows, std::int64_t columns,
                               ActivationPrecision precision = ActivationPrecision::kWork) {
    return make(backend, rows, columns,
                std::vector<float>(static_cast<std::size_t>(rows * columns), std::nanf("")),
                precision);
  }
  static std::vector<float> values_of(Backend& backend, Activation x) {
    std::vector<float> host(static_cast<std::size_t>(x.rows * x.columns));
    backend.read(x, host);
    return host;
  }
  // |got - want| <= absolute + relative |want|; NaN never is.
  static void expect_near(const std::vector<float>& got, const std::vector<float>& want,
                          float absolute, float relative) {
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], want[i], absolute + relative * std::abs(want[i])) << "element " << i;
    }
  }

  std::unique_ptr<Backend> cuda_;
  std::unique_ptr<Backend> ref_;
  std::mt19937 random_{20261128};

 private:
  std::deque<std::vector<float>> floats_;
};

inline std::string work_type_name(const testing::TestParamInfo<DType>& info) {
  return std::string(dtype_name(info.param));
}

// INSTANTIATE_TEST_SUITE_P(WorkTypes, MyTest, kWorkTypes, work_type_name);
inline const auto kWorkTypes = testing::Values(DType::kBF16, DType::kF16);

}  // namespace hangar::cuda
