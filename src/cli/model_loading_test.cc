#include "cli/model_loading.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace hangar {
namespace {

LocalEngineOptions options_of(const std::map<Setting, std::string>& flags) {
  SettingInputs inputs;
  inputs.flags = flags;
  const auto settings = resolve_settings(inputs);
  EXPECT_TRUE(settings.has_value());
  return settings ? engine_options(*settings) : LocalEngineOptions{};
}

TEST(EngineOptions, QuantIsWhatTheSettingsSay) {
  EXPECT_EQ(options_of({}).quant, QuantOptions{});
  EXPECT_EQ(options_of({{Setting::kQuant, "auto"}, {Setting::kQuantHead, "auto"}}).quant,
            QuantOptions{});
  EXPECT_EQ(options_of({{Setting::kQuant, "fp8"}, {Setting::kQuantHead, "8"}}).quant,
            (QuantOptions{.matrices = WeightQuant::kFp8, .head = WeightQuant::kFp8}));
  EXPECT_EQ(options_of({{Setting::kQuant, "none"}, {Setting::kQuantHead, "16"}}).quant,
            (QuantOptions{.matrices = WeightQuant::kNone, .head = WeightQuant::kNone}));
  EXPECT_EQ(options_of({{Setting::kQuant, "int4"}, {Setting::kQuantHead, "4"}}).quant,
            (QuantOptions{.matrices = WeightQuant::kInt4, .head = WeightQuant::kInt4}));
  EXPECT_EQ(options_of({{Setting::kInt4Copies, "exact"}}).quant,
            QuantOptions{.copies = WeightCopies::kExact});
  EXPECT_EQ(options_of({{Setting::kFp8Sums, "exact"}}).quant,
            QuantOptions{.fp8_sums = Fp8Sums::kExact});
  for (const auto& [setting, text] : std::map<Setting, std::string>{{Setting::kQuant, "int5"},
                                                                    {Setting::kQuantHead, "fp8"},
                                                                    {Setting::kInt4Copies, "yes"},
                                                                    {Setting::kFp8Sums, "auto"}}) {
    SettingInputs inputs;
    inputs.flags = {{setting, text}};
    EXPECT_FALSE(resolve_settings(inputs).has_value()) << text;
  }
}

// Every choice that --help offers is one that the engine knows.
TEST(EngineOptions, EveryChoiceOfQuantMeansSomething) {
  for (const char* name : {"none", "fp8", "int4"}) {
    EXPECT_TRUE(options_of({{Setting::kQuant, name}}).quant.matrices.has_value()) << name;
  }
  for (const char* bits : {"16", "8", "4"}) {
    EXPECT_TRUE(options_of({{Setting::kQuantHead, bits}}).quant.head.has_value()) << bits;
  }
  for (const auto& [copies, name] : kWeightCopiesNames) {
    const std::string text(name);
    EXPECT_EQ(options_of({{Setting::kInt4Copies, text}}).quant.copies, copies) << text;
  }
  for (const auto& [sums, name] : kFp8SumsNames) {
    const std::string text(name);
    EXPECT_EQ(options_of({{Setting::kFp8Sums, text}}).quant.fp8_sums, sums) << text;
  }
  EXPECT_EQ(setting_spec(Setting::kFp8Sums).value_name, "fast|exact");
  EXPECT_EQ(setting_spec(Setting::kInt4Copies).value_name, "auto|rounded|exact|off");
  EXPECT_EQ(setting_spec(Setting::kQuant).value_name, "auto|none|fp8|int4");
  EXPECT_EQ(setting_spec(Setting::kQuantHead).value_name, "auto|16|8|4");
}

}  // namespace
}  // namespace hangar
