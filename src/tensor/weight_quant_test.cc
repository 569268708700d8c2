#include "tensor/weight_quant.h"

#include <gtest/gtest.h>

namespace hangar {
namespace {

TEST(WeightQuant, NamesAreReadBack) {
  for (const WeightQuant quant : kWeightQuants) {
    EXPECT_EQ(weight_quant_of(weight_quant_name(quant)), quant);
    EXPECT_EQ(head_quant_of(head_quant_name(quant)), quant);
  }
  EXPECT_EQ(weight_quant_of("int4"), WeightQuant::kInt4);
  EXPECT_EQ(weight_quant_of("auto"), std::nullopt);
  EXPECT_EQ(weight_quant_of(""), std::nullopt);
  EXPECT_EQ(head_quant_of("16"), WeightQuant::kNone);
  EXPECT_EQ(head_quant_of("8"), WeightQuant::kFp8);
  EXPECT_EQ(head_quant_of("auto"), std::nullopt);
  EXPECT_EQ(head_quant_of("4"), WeightQuant::kInt4);
  EXPECT_EQ(head_quant_of("2"), std::nullopt);
  EXPECT_EQ(head_quant_of(""), std::nullopt);
}

}  // namespace
}  // namespace hangar
