#include "formats/hf/linear_format.h"

#include <gmock/gmock.h>

#include <set>

#include "formats/hf/linear_format_test_data.h"
#include "quant/view_rows.h"

namespace hangar::hf {
namespace {

std::vector<float> floats_of(const TensorView& view) {
  std::vector<float> values(static_cast<std::size_t>(view.elements()));
  for (std::int64_t r = 0; r < view.rows(); ++r) {
    dequantize_view_row(view, r, values.data() + r * view.columns());
  }
  return values;
}

TEST(LinearFormatTest, EveryFormEqualsWhatItsOwnReaderDequantizes) {
  std::set<std::string> methods;
  std::set<std::string> dtypes;
  for (const LinearCase& test : read_linear_cases()) {
    SCOPED_TRACE(test.name);
    const auto format = make_linear_format(test.config);
    ASSERT_TRUE(format.has_value()) << format.error().message;
    EXPECT_TRUE((*format)->holds(test.tensors, "m"));
    EXPECT_FALSE((*format)->holds(test.tensors, "n"));
    const auto described = (*format)->describe(test.tensors, "m");
    ASSERT_TRUE(described.has_value()) << described.error().message;
    EXPECT_EQ(described->name, "m.weight");
    EXPECT_EQ(dtype_name(described->dtype), test.dtype);
    EXPECT_EQ(described->shape, test.shape);
    EXPECT_TRUE(described->data.empty());
    const auto view = (*format)->read(test.tensors, "m");
    ASSERT_TRUE(view.has_value()) << view.error().message;
    EXPECT_EQ(view->name, described->name);
    EXPECT_EQ(view->dtype, described->dtype);
    EXPECT_EQ(view->shape, test.shape);
    EXPECT_EQ(view->input_order != nullptr, test.reordered);
    EXPECT_EQ(view->group_columns, described->group_columns);
    EXPECT_EQ(view->data.size(),
              row_bytes(view->dtype, view->columns()) * static_cast<std::size_t>(view->rows()));
    const std::vector<float> got = floats_of(*view);
    ASSERT_EQ(got.size(), test.expected.size());
    std::size_t differences = 0;
    for (std::size_t i = 0; i < got.size(); ++i) differences += got[i] != test.expected[i];
    EXPECT_EQ(differences, 0U);
    methods.insert(std::string(test.config.at("quant_method").as_string()));
    dtypes.insert(test.dtype);
  }
  EXPECT_THAT(methods, ::testing::UnorderedElementsAre("awq", "gptq", "compressed-tensors", "fp8",
                                                       "fbgemm_fp8"));
  EXPECT_THAT(dtypes, ::testing::UnorderedElementsAre("INT4_G32", "INT8_G32", "F32", "F8_E4M3"));
}

TEST(LinearFormatTest, ViewsSayHowManyColumnsShareAScale) {
  const auto group = [](std::string_view name) {
    const LinearCase test = linear_case(name);
    const TensorView view =
        make_linear_format(test.config).value()->read(test.tensors, "m").value();
    EXPECT_EQ(slice_rows(view, 2, 3).group_columns, view.group_columns);
    return view.group_columns;
  };
  EXPECT_EQ(group("awq g128"), 128);
  EXPECT_EQ(group("awq g32"), 32);
  EXPECT_EQ(group("awq one group"), 160);
  EXPECT_EQ(group("gptq v1 g128"), 128);
  EXPECT_EQ(group("gptq v1 one group"), 160);
  EXPECT_EQ(group("gptq v1 g64 zeros at the ends"), 64);
  EXPECT_EQ(group("gptq v1 act-order g32"), 32);
  EXPECT_EQ(group("gptq v2 act-order g128 asymmetric"), 128);
  EXPECT_EQ(group("packed g64 asymmetric"), 64);
  EXPECT_EQ(group("packed channel"), 160);
  EXPECT_EQ(group("packed 8 bits g128"), 128);
  EXPECT_EQ(group("awq g16"), 0) << "float32";
  EXPECT_EQ(group("float channel"), 0);
}

// An index of groups of different sizes: 64, 32 and 96 columns.
TEST(LinearFormatTest, GroupsOfDifferentSizesHaveNoSizeInCommon) {
  ModuleTestTensors tensors;
  std::vector<std::int32_t> group_of(192);
  for (std::size_t i = 0; i < 192; ++i) group_of[i] = i < 64 ? 0 : i < 96 ? 1 : 2;
  tensors.add_numbers<std::uint32_t>("m.weight_packed", RawType::kI32, {1, 24},
                                     std::vector<std::uint32_t>(24, 0x76543210U));
  tensors.add_numbers<std::int64_t>("m.weight_shape", RawType::kI64, {2}, {1, 192});
  tensors.add_numbers<float>("m.weight_scale", RawType::kF32, {1, 3}, {1.0F, 10.0F, 100.0F});
  tensors.add_numbers<std::int32_t>("m.weight_g_idx", RawType::kI32, {192}, group_of);
  const boost::json::object config =
      parse_json(R"({"quant_method": "compressed-tensors", "format": "pack-quantized",
                     "config_groups": {"a": {"targets": ["Linear"],
                       "weights": {"num_bits": 4, "group_size": 64, "actorder": "group"}}}})",
                 "config")
          .value()
          .as_object();
  const TensorView view = make_linear_format(config).value()->read(tensors, "m").value();
  EXPECT_EQ(dtype_name(view.dtype), "INT4_G32");
  EXPECT_EQ(view.input_order, nullptr);
  EXPECT_EQ(view.group_columns, 0);
  EXPECT_EQ(floats_of(view)[65], -70.0F);
  EXPECT_EQ(floats_of(view)[97], -700.0F);
}

TEST(LinearFormatTest, WhatIsMadeLivesAsLongAsTheView) {
  TensorView view;
  {
    LinearCase test = linear_case("awq g32");
    view = make_linear_format(test.config).value()->read(test.tensors, "m").value();
    test.tensors = {};
  }
  ASSERT_NE(view.owner, nullptr);
  EXPECT_EQ(floats_of(view), linear_case("awq g32").expected);
}

TEST(LinearFormatTest, Fp8IsReadInPlace) {
  const LinearCase test = linear_case("fp8 blocks");
  const TensorView view = make_linear_format(test.config).value()->read(test.tensors, "m").value();
  EXPECT_EQ(view.owner, nullptr);
  EXPECT_EQ(view.data.data(), test.tensors.find("m.weight")->data.data());
}

TEST(LinearFormatTest, DescriptionsNameTheForm) {
  const auto description = [](std::string_view name) {
    return make_linear_format(linear_case(name).config).value()->description();
  };
  EXPECT_EQ(description("awq g128"), "AWQ int4, groups of 128");
  EXPECT_EQ(description("awq one group"), "AWQ int4, one group a row");
  EXPECT_EQ(description("gptq v1 act-order 8 bits g64"), "GPTQ int8, groups of 64, act-order");
  EXPECT_EQ(description("packed g64 asymmetric"),
            "compressed-tensors int4, groups of 64, zero points");
  EXPECT_EQ(description("float channel"),
            "compressed-tensors FP8 e4m3, one scale a row; activations by the backend");
  EXPECT_EQ(description("float block"),
            "compressed-tensors FP8 e4m3, blocks of 16 x 32; activations by the backend");
  EXPECT_EQ(description("int8 tensor"),
            "compressed-tensors int8, one scale a tensor; activations by the backend");
  EXPECT_EQ(description("fp8 blocks"), "FP8 e4m3, blocks of 16 x 32; activations by the backend");
  EXPECT_EQ(description("fbgemm fp8"), "FBGEMM FP8 e4m3; activations by the backend");
}

TEST(LinearFormatTest, OldFilesTellTheMethodByItsSettings) {
  const auto description = [](std::string_view json) {
    return make_linear_format(parse_json(json, "").value().as_object()).value()->description();
  };
  EXPECT_EQ(description(R"({"bits": 4, "group_size": 128, "damp_percent": 0.01, "desc_act": true,
                            "sym": true, "true_sequential": true})"),
            "GPTQ int4, groups of 128, act-order");
  EXPECT_EQ(description(R"({"zero_point": true, "q_group_size": 64, "w_bit": 4,
                            "version": "GEMM"})"),
            "AWQ int4, groups of 64");
}

// A module of 2 outputs and 4 inputs with these numbers, by each pattern of names.
TEST(LinearFormatTest, CompressedModulesAreToldByTargetsAndIgnore) {
  ModuleTestTensors tensors;
  for (const std::string module :
       {"model.layers.0.mlp.up_proj", "model.layers.1.mlp.up_proj", "model.layers.12.mlp.up_proj",
        "model.embed_tokens", "lm_head", "model.layers.0.mlp.gate"}) {
    tensors.add_numbers<std::int8_t>(module + ".weight", RawType::kI8, {2, 4},
                                     {1, 2, 3, 4, 5, 6, 7, 8});
    tensors.add_numbers<float>(module + ".weight_scale", RawType::kF32, {2, 1}, {0.5F, 2.0F});
  }
  const boost::json::value config = parse_json(R"({
    "quant_method": "compressed-tensors", "format": "int-quantized",
    "ignore": ["lm_head", "re:.*\\.gate$"],
    "config_groups": {
      "a": {"targets": ["Linear"], "weights": {"num_bits": 8, "strategy": "channel"}},
      "b": {"targets": ["re:model\\.layers\\.1\\.", "Embedding"], "format": "pack-quantized",
            "weights": {"num_bits": 4, "group_size": 32}},
      "activations only": {"targets": ["re:.*attn$"], "weights": null,
                           "input_activations": {"num_bits": 8}},
      "c": {"targets": ["model.layers.12.mlp.up_proj"],
            "weights": {"num_bits": 8, "strategy": "channel"}}
    }})",
                                               "config")
                                        .value();
  const auto format = make_linear_format(config.as_object()).value();
  EXPECT_TRUE(format->holds(tensors, "model.layers.0.mlp.up_proj"));
  EXPECT_TRUE(format->holds(tensors, "model.layers.12.mlp.up_proj"));
  EXPECT_FALSE(format->holds(tensors, "model.layers.1.mlp.up_proj"));  // b: not packed
  EXPECT_FALSE(format->holds(tensors, "model.embed_tokens"));
  EXPECT_FALSE(format->holds(tensors, "lm_head"));
  EXPECT_FALSE(format->holds(tensors, "model.layers.0.mlp.gate"));
  EXPECT_FALSE(format->read(tensors, "lm_head").has_value());
  EXPECT_THAT(floats_of(format->read(tensors, "model.layers.0.mlp.up_proj").value()),
              ::testing::ElementsAre(0.5F, 1, 1.5F, 2, 10, 12, 14, 16));
}

// compressed-tensors no longer reads its own act-order; g_idx means what GPTQ's does.
TEST(LinearFormatTest, CompressedGroupsMayBeShuffled) {
  ModuleTestTensors tensors;
  std::vector<std::uint32_t> words(8, 0x76543210U);  // codes 0..7 eight times
  std::vector<std::int32_t> group_of(64);
  for (std::int32_t i = 0; i < 64; ++i) group_of[static_cast<std::size_t>(i)] = i % 2;
  tensors.add_numbers<std::uint32_t>("m.weight_packed", RawType::kI32, {1, 8}, words);
  tensors.add_numbers<std::int64_t>("m.weight_shape", RawType::kI64, {2}, {1, 64});
  tensors.add_numbers<float>("m.weight_scale", RawType::kF32, {1, 2}, {1.0F, 10.0F});
  tensors.add_numbers<std::int32_t>("m.weight_g_idx", RawType::kI32, {64}, group_of);
  const boost::json::object config =
      parse_json(R"({"quant_method": "compressed-tensors", "format": "pack-quantized",
                     "config_groups": {"a": {"targets": ["Linear"],
                       "weights": {"num_bits": 4, "group_size": 32, "actorder": "group"}}}})",
                 "config")
          .value()
          .as_object();
  const auto format = make_linear_format(config).value();
  const TensorView view = format->read(tensors, "m").value();
  EXPECT_EQ(dtype_name(view.dtype), "INT4_G32");
  ASSERT_NE(view.input_order, nullptr);
  const std::vector<float> got = floats_of(view);
  for (std::size_t i = 0; i < 64; ++i) {
    ASSERT_EQ(got[i], (static_cast<float>(i % 8) - 8) * (i % 2 == 0 ? 1.0F : 10.0F)) << i;
  }
  // -1 is how the package writes that there is no order.
  tensors.remove("m.weight_g_idx");
  tensors.add_numbers<std::int32_t>("m.weight_g_idx", RawType::kI32, {64},
                                    std::vector<std::int32_t>(64, -1));
  const TensorView plain = format->read(tensors, "m").value();
  EXPECT_EQ(plain.input_order, nullptr);
  EXPECT_EQ(floats_of(plain)[1], -7.0F);
  EXPECT_EQ(floats_of(plain)[33], -70.0F);
}

}  // namespace
}  // namespace hangar::hf
