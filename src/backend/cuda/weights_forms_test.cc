// What the kernels compute of each stored number, held to quant/'s own, on the host: no card
// needed.
#include "backend/cuda/weights_forms.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <vector>

#include "backend/cpu/ops_test_support.h"
#include "backend/cuda/weights_unpack.h"
#include "quant/dequantize.h"

namespace hangar::cuda {
namespace {

class WeightFormsTest : public cpu::OpsTest {
 protected:
  WeightFormsTest() : OpsTest(1) {}

  template <class Form>
  void expect_as_dequantized(DType dtype) {
    SCOPED_TRACE(dtype_name(dtype));
    EXPECT_TRUE(unpacks_on_card(dtype));
    ASSERT_EQ(Form::kElements, dtype_info(dtype).block_elements);
    ASSERT_EQ(static_cast<std::size_t>(Form::kBytes), dtype_info(dtype).block_bytes);
    constexpr std::int64_t kNumbers = 4096;
    const std::vector<std::byte> stored = random_weight(dtype, 1, kNumbers);
    std::vector<float> want(kNumbers);
    dequantize_row(dtype, stored.data(), want.data(), kNumbers);
    std::vector<float> got;
    for (std::size_t at = 0; at < stored.size(); at += Form::kBytes) {
      const auto* block = reinterpret_cast<const std::uint8_t*>(stored.data()) + at;
      for (int i = 0; i < Form::kElements; ++i) got.push_back(Form::at(block, i));
    }
    expect_same_bits(got, want);
  }
};

TEST_F(WeightFormsTest, AreWhatDequantizingGives) {
  expect_as_dequantized<forms::F32>(DType::kF32);
  expect_as_dequantized<forms::F16>(DType::kF16);
  expect_as_dequantized<forms::Bf16>(DType::kBF16);
  expect_as_dequantized<forms::Q4_0>(DType::kQ4_0);
  expect_as_dequantized<forms::Q4_1>(DType::kQ4_1);
  expect_as_dequantized<forms::Q5_0>(DType::kQ5_0);
  expect_as_dequantized<forms::Q5_1>(DType::kQ5_1);
  expect_as_dequantized<forms::Q8_0>(DType::kQ8_0);
  expect_as_dequantized<forms::Q4K>(DType::kQ4_K);
  expect_as_dequantized<forms::Q5K>(DType::kQ5_K);
  expect_as_dequantized<forms::Q6K>(DType::kQ6_K);
  expect_as_dequantized<forms::Int4G32>(DType::kInt4G32);
  expect_as_dequantized<forms::Int8G32>(DType::kInt8G32);
}

TEST_F(WeightFormsTest, TheOthersAreTheHosts) {
  for (const DType dtype : {DType::kQ2_K, DType::kQ3_K, DType::kIQ4_NL, DType::kIQ4_XS,
                            DType::kMXFP4, DType::kF8E4M3, DType::kI32}) {
    EXPECT_FALSE(unpacks_on_card(dtype)) << dtype_name(dtype);
  }
}

}  // namespace
}  // namespace hangar::cuda
