// What the tests of backend/cpu share: the reference beside it, every instruction set, random data.
//
// Promise: a CpuOpsTest runs once for each instruction set that this processor has and that the
//   kernels are compiled for, with 1 and with 3 threads.
// Threads: one.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <ostream>
#include <random>
#include <tuple>
#include <vector>

#include "backend/cpu/instruction_set.h"
#include "backend/registry.h"
#include "tensor/float16.h"

namespace hangar::cpu {

class OpsTest : public testing::Test {
 protected:
  explicit OpsTest(int threads) : cpu_(make_backend("cpu", threads).value()) {}

  std::vector<float> random_floats(std::int64_t n, float deviation = 1.0F) {
    std::normal_distribution<float> normal(0.0F, deviation);
    std::vector<float> values(static_cast<std::size_t>(n));
    for (float& value : values) value = normal(random_);
    return values;
  }
  std::int64_t random_int(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }
  // A file's bytes of a weight: all codes occur, scales and minimums are of ordinary size.
  std::vector<std::byte> random_weight(DType dtype, std::int64_t rows, std::int64_t columns);
  // The view's bytes live as long as the test.
  TensorView view(DType dtype, std::vector<std::int64_t> shape, std::vector<std::byte> bytes) {
    bytes_.push_back(std::move(bytes));
    return {"w", dtype, std::move(shape), bytes_.back()};
  }
  TensorView random_view(DType dtype, std::int64_t rows, std::int64_t columns) {
    return view(dtype, {rows, columns}, random_weight(dtype, rows, columns));
  }
  TensorView vector_view(const std::vector<float>& values) {
    const auto bytes = std::as_bytes(std::span(values));
    return view(DType::kF32, {std::ssize(values)}, {bytes.begin(), bytes.end()});
  }

  static Activation make(Backend& backend, std::int64_t rows, std::int64_t columns,
                         const std::vector<float>& values) {
    const Activation x = backend.allocate(rows, columns).value();
    EXPECT_EQ(std::ssize(values), rows * columns);
    std::memcpy(x.data, values.data(), values.size() * sizeof(float));
    return x;
  }
  // Filled with NaN: what an operation does not write shows.
  static Activation make_empty(Backend& backend, std::int64_t rows, std::int64_t columns) {
    return make(backend, rows, columns,
                std::vector<float>(static_cast<std::size_t>(rows * columns), std::nanf("")));
  }
  static std::vector<float> values_of(Backend& backend, Activation x) {
    std::vector<float> host(static_cast<std::size_t>(x.rows * x.columns));
    backend.read(x, host);
    return host;
  }
  static void expect_near(const std::vector<float>& got, const std::vector<float>& want,
                          float absolute, float relative) {
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], want[i], absolute + relative * std::abs(want[i])) << "element " << i;
    }
  }
  static void expect_same_bits(std::span<const float> got, std::span<const float> want) {
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(got[i]), std::bit_cast<std::uint32_t>(want[i]))
          << "element " << i << ": " << got[i] << " and " << want[i];
    }
  }

  std::unique_ptr<Backend> cpu_;
  std::unique_ptr<Backend> ref_ = make_backend("ref", 1).value();
  std::mt19937 random_{20240229};
  std::vector<std::vector<std::byte>> bytes_;
};

inline std::vector<std::byte> OpsTest::random_weight(DType dtype, std::int64_t rows,
                                                     std::int64_t columns) {
  std::vector<std::byte> bytes(row_bytes(dtype, columns) * static_cast<std::size_t>(rows));
  for (std::byte& b : bytes) b = static_cast<std::byte>(random_());
  const auto put_half = [&](std::size_t at) {
    const std::uint16_t half = float_to_half(random_floats(1, 0.02F)[0]);
    std::memcpy(bytes.data() + at, &half, sizeof(half));
  };
  const std::size_t block_bytes = dtype_info(dtype).block_bytes;
  for (std::size_t at = 0; at < bytes.size(); at += block_bytes) {
    const float number = random_floats(1)[0];
    const std::uint16_t half = float_to_half(number);
    const std::uint16_t bfloat = float_to_bfloat16(number);
    switch (dtype) {
      case DType::kF32:
        std::memcpy(bytes.data() + at, &number, sizeof(number));
        break;
      case DType::kF16:
        std::memcpy(bytes.data() + at, &half, sizeof(half));
        break;
      case DType::kBF16:
        std::memcpy(bytes.data() + at, &bfloat, sizeof(bfloat));
        break;
      case DType::kQ6_K:
        put_half(at + 208);
        break;
      case DType::kQ2_K:
        put_half(at + 80);
        put_half(at + 82);
        break;
      case DType::kQ3_K:
        put_half(at + 108);
        break;
      case DType::kMXFP4:
        bytes[at] = static_cast<std::byte>(random_int(110, 125));
        break;
      case DType::kF8E4M3:  // no NaN
        if ((bytes[at] & std::byte{0x7F}) == std::byte{0x7F}) bytes[at] = std::byte{0x31};
        break;
      case DType::kInt4G32:
      case DType::kInt8G32: {
        const float scale = random_floats(1, 0.02F)[0];
        const auto zero =
            static_cast<std::int32_t>(random_int(0, dtype == DType::kInt4G32 ? 15 : 255));
        std::memcpy(bytes.data() + at, &scale, sizeof(scale));
        std::memcpy(bytes.data() + at + 4, &zero, sizeof(zero));
        break;
      }
      case DType::kQ4_1:
      case DType::kQ5_1:
      case DType::kQ4_K:
      case DType::kQ5_K:
        put_half(at + 2);
        [[fallthrough]];
      default:
        put_half(at);
    }
  }
  return bytes;
}

inline void PrintTo(const InstructionSet& set, std::ostream* out) {
  *out << instruction_set_name(set);
}

using SetAndThreads = std::tuple<InstructionSet, int>;

class CpuOpsTest : public OpsTest, public testing::WithParamInterface<SetAndThreads> {
 protected:
  CpuOpsTest()
      : OpsTest((force_instruction_set(std::get<0>(GetParam())), std::get<1>(GetParam()))) {}
  ~CpuOpsTest() override { force_instruction_set({}); }
};

// "NEON_DOTx3": the test framework takes no other signs.
inline std::string set_and_threads_name(const testing::TestParamInfo<SetAndThreads>& info) {
  std::string name = instruction_set_name(std::get<0>(info.param));
  std::replace(name.begin(), name.end(), '+', '_');
  return fmt::format("{}x{}", name, std::get<1>(info.param));
}

#define HANGAR_INSTANTIATE_CPU_OPS(Suite)                                                       \
  INSTANTIATE_TEST_SUITE_P(                                                                     \
      Targets, Suite,                                                                           \
      testing::Combine(testing::ValuesIn(supported_instruction_sets()), testing::Values(1, 3)), \
      set_and_threads_name)

}  // namespace hangar::cpu
