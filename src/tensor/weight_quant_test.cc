#include "tensor/weight_quant.h"

#include <gtest/gtest.h>

namespace hangar {
namespace {

TEST(WeightQuant, NamesAreReadBack) {
  for (const WeightQuant quant : {WeightQuant::kNone, WeightQuant::kFp8, WeightQuant::kInt4}) {
    EXPECT_EQ(kWeightQuantNames.of(kWeightQuantNames.of(quant)), quant);
    EXPECT_EQ(kHeadQuantNames.of(kHeadQuantNames.of(quant)), quant);
  }
  EXPECT_EQ(kWeightQuantNames.of("int4"), WeightQuant::kInt4);
  EXPECT_EQ(kWeightQuantNames.of("auto"), std::nullopt);
  EXPECT_EQ(kWeightQuantNames.of(""), std::nullopt);
  EXPECT_EQ(kHeadQuantNames.of("16"), WeightQuant::kNone);
  EXPECT_EQ(kHeadQuantNames.of("8"), WeightQuant::kFp8);
  EXPECT_EQ(kHeadQuantNames.of("auto"), std::nullopt);
  EXPECT_EQ(kHeadQuantNames.of("4"), WeightQuant::kInt4);
  EXPECT_EQ(kHeadQuantNames.of("2"), std::nullopt);
  EXPECT_EQ(kHeadQuantNames.of(""), std::nullopt);
}

}  // namespace
}  // namespace hangar
