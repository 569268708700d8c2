// What the linear formats refuse: methods and settings by their names, tensors that do not fit.
#include <gmock/gmock.h>

#include "formats/hf/linear_format.h"
#include "formats/hf/linear_format_test_data.h"
#include "formats/hf/module_pattern.h"

namespace hangar::hf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Error config_error(std::string_view json) {
  const auto format = make_linear_format(parse_json(json, "config").value().as_object());
  EXPECT_FALSE(format.has_value()) << json;
  return format ? Error{} : format.error();
}

void expect_unsupported(std::string_view json, std::initializer_list<std::string_view> words) {
  const Error error = config_error(json);
  EXPECT_EQ(error.code, ErrorCode::kUnsupported) << error.message;
  EXPECT_THAT(error.message, HasSubstr("config.json: 'quantization_config"));
  for (const std::string_view word : words) {
    EXPECT_THAT(error.message, HasSubstr(std::string(word)));
  }
}

void expect_corrupt(std::string_view json, std::string_view key) {
  const Error error = config_error(json);
  EXPECT_EQ(error.code, ErrorCode::kCorrupt) << error.message;
  EXPECT_THAT(error.message, HasSubstr(std::string(key)));
}

TEST(LinearFormatRefusalsTest, BitsandbytesIsRefusedWithTheWayOut) {
  expect_unsupported(
      R"({"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "nf4"})",
      {"bitsandbytes nf4", "AWQ, GPTQ", "dequantize()"});
  expect_unsupported(R"({"load_in_8bit": true})", {"bitsandbytes int8", "GGUF"});
  expect_unsupported(R"({"quant_method": "bitsandbytes_4bit", "bnb_4bit_quant_type": "fp4"})",
                     {"fp4"});
}

TEST(LinearFormatRefusalsTest, OtherMethodsAreRefusedByName) {
  for (const char* method :
       {"hqq", "aqlm", "quanto", "eetq", "torchao", "mxfp4", "auto-round", "vptq", "modelopt"}) {
    expect_unsupported(fmt::format(R"({{"quant_method": "{}"}})", method),
                       {fmt::format("'{}' is not read", method), "GGUF"});
  }
  expect_unsupported(R"({"quant_method": "abacus"})", {"'abacus' is unknown"});
  expect_corrupt(R"({"bits": 4})", "quant_method");
  expect_corrupt(R"({"quant_method": 4})", "quant_method");
}

TEST(LinearFormatRefusalsTest, AwqSettings) {
  expect_unsupported(R"({"quant_method": "awq", "bits": 3, "group_size": 128})", {"bits", "3"});
  for (const char* version : {"gemv", "gemv_fast", "exllama", "marlin", "ipex"}) {
    expect_unsupported(
        fmt::format(R"({{"quant_method": "awq", "bits": 4, "group_size": 128, "version": "{}"}})",
                    version),
        {"version", version, "gemm"});
  }
  expect_unsupported(
      R"({"quant_method": "awq", "bits": 4, "group_size": 128, "backend": "llm-awq"})",
      {"backend", "llm-awq"});
  expect_corrupt(R"({"quant_method": "awq", "bits": 4})", "group_size");
  expect_corrupt(R"({"quant_method": "awq", "bits": 4, "group_size": 0})", "group_size");
  expect_corrupt(R"({"quant_method": "awq", "group_size": 128})", "bits");
  EXPECT_TRUE(
      make_linear_format(
          parse_json(
              R"({"quant_method": "awq", "w_bit": 4, "q_group_size": 64, "version": "GEMM"})", "")
              .value()
              .as_object())
          .has_value());
}

TEST(LinearFormatRefusalsTest, GptqSettings) {
  const auto with = [](std::string_view more) {
    return fmt::format(R"({{"quant_method": "gptq", "bits": 4, "group_size": 128, {}}})", more);
  };
  for (const int bits : {2, 3, 5}) {
    expect_unsupported(
        fmt::format(R"({{"quant_method": "gptq", "bits": {}, "group_size": 128}})", bits),
        {"bits", std::to_string(bits), "4 or 8"});
  }
  for (const char* format : {"marlin", "gptq_p", "bitblas", "GPTQ"}) {
    expect_unsupported(with(fmt::format(R"("checkpoint_format": "{}")", format)),
                       {"checkpoint_format", format});
    expect_unsupported(with(fmt::format(R"("format": "{}")", format)), {"format", format});
  }
  expect_unsupported(with(R"("is_marlin_format": true)"), {"is_marlin_format", "Marlin"});
  expect_unsupported(with(R"("pack_dtype": "int16")"), {"pack_dtype", "int16"});
  expect_unsupported(with(R"("dynamic": {"-:.*a": {}, "+:.*b": {"bits": 8}})"),
                     {"dynamic", "+:.*b"});
  expect_corrupt(with(R"("desc_act": "yes")"), "desc_act");
  EXPECT_TRUE(make_linear_format(
                  parse_json(with(R"("is_marlin_format": false, "dynamic": {"-:.*a": {}})"), "")
                      .value()
                      .as_object())
                  .has_value());
}

std::string compressed(std::string_view weights, std::string_view format = "pack-quantized",
                       std::string_view more = "\"ignore\": []") {
  return fmt::format(
      R"({{"quant_method": "compressed-tensors", "format": "{}", {},
          "config_groups": {{"group_0": {{"targets": ["Linear"], "weights": {}}}}}}})",
      format, more, weights);
}

TEST(LinearFormatRefusalsTest, CompressedTensorsSettings) {
  constexpr std::string_view kInt4 = R"({"num_bits": 4, "type": "int", "group_size": 128})";
  for (const char* format : {"nvfp4-pack-quantized", "marlin-24", "mxfp4-pack-quantized", "dense",
                             "sparse-24-bitmask", "float-quantized"}) {
    expect_unsupported(compressed(kInt4, format), {format});
  }
  expect_unsupported(compressed(R"({"num_bits": 3, "group_size": 128})"), {"num_bits", "3"});
  expect_unsupported(compressed(R"({"num_bits": 4, "type": "float"})", "float-quantized"),
                     {"num_bits", "4"});
  expect_unsupported(compressed(R"({"num_bits": 4, "strategy": "tensor_group"})"),
                     {"strategy", "tensor_group"});
  expect_unsupported(compressed(R"({"num_bits": 4, "strategy": "tensor", "symmetric": false})"),
                     {"strategy", "zero points"});
  expect_unsupported(compressed(kInt4, "pack-quantized", R"("kv_cache_scheme": {"num_bits": 8})"),
                     {"kv_cache_scheme", "KV cache"});
  expect_unsupported(
      compressed(kInt4, "pack-quantized", R"("sparsity_config": {"format": "sparse-bitmask"})"),
      {"sparsity_config", "sparse-bitmask"});
  expect_unsupported(compressed(kInt4, "pack-quantized", R"("transform_config": {"R1": {}})"),
                     {"transform_config", "rotations"});
  expect_unsupported(compressed(kInt4, "pack-quantized", R"("quantization_status": "frozen")"),
                     {"quantization_status", "frozen"});
  expect_unsupported(
      R"({"quant_method": "compressed-tensors", "config_groups": {"W4A16": ["Linear"]}})",
      {"config_groups.W4A16", "preset"});
  expect_corrupt(R"({"quant_method": "compressed-tensors"})", "config_groups");
  expect_corrupt(compressed(kInt4, "pack-quantized", R"("ignore": ["re:("])"), "re:(");
  expect_corrupt(compressed(kInt4, "pack-quantized", R"("ignore": [1])"), "ignore");
  expect_corrupt(compressed(R"({"num_bits": 4, "strategy": "group"})"), "group_size");
  expect_corrupt(
      compressed(R"({"num_bits": 8, "type": "float", "strategy": "block"})", "float-quantized"),
      "block_structure");
}

TEST(LinearFormatRefusalsTest, Fp8Settings) {
  expect_unsupported(R"({"quant_method": "fp8", "fmt": "e5m2"})", {"fmt", "e5m2"});
  expect_unsupported(R"({"quant_method": "fp8", "activation_scheme": "sideways"})",
                     {"activation_scheme", "sideways"});
  expect_corrupt(R"({"quant_method": "fp8", "weight_block_size": [128]})", "weight_block_size");
  expect_corrupt(R"({"quant_method": "fp8", "weight_block_size": [0, 128]})", "weight_block_size");
}

class DamagedModuleTest : public ::testing::Test {
 protected:
  // Both describe and read refuse what `damage` has done, naming the tensor.
  template <typename Damage>
  static void expect_refused(std::string_view name, const Damage& damage, ErrorCode code,
                             std::string_view words) {
    LinearCase test = linear_case(name);
    damage(test.tensors);
    const auto format = make_linear_format(test.config).value();
    for (const auto& result :
         {format->describe(test.tensors, "m"), format->read(test.tensors, "m")}) {
      ASSERT_FALSE(result.has_value()) << name;
      EXPECT_EQ(result.error().code, code) << result.error().message;
      EXPECT_THAT(result.error().message,
                  AllOf(HasSubstr("tensor 'm."), HasSubstr(std::string(words))));
    }
  }
};

TEST_F(DamagedModuleTest, EveryTensorIsMissed) {
  for (const LinearCase& test : read_linear_cases()) {
    SCOPED_TRACE(test.name);
    for (const RawTensor& tensor : test.tensors.all()) {
      // Without g_idx groups are in order, and only act-order needs it.
      if (tensor.name == "m.g_idx" && test.config.at("desc_act") == false) continue;
      expect_refused(
          test.name, [&](ModuleTestTensors& tensors) { tensors.remove(tensor.name); },
          ErrorCode::kCorrupt, fmt::format("'{}' is missing", tensor.name));
    }
  }
}

TEST_F(DamagedModuleTest, EveryShapeIsChecked) {
  for (const LinearCase& test : read_linear_cases()) {
    SCOPED_TRACE(test.name);
    for (const RawTensor& tensor : test.tensors.all()) {
      // The weight's own shape is nobody's to check. A g_idx one short is of a last word half used.
      const bool alone = tensor.name == "m.weight" || tensor.name == "m.g_idx";
      for (std::size_t d = 0; d < tensor.shape.size() && !alone; ++d) {
        if (tensor.name == "m.weight_scale" && tensor.shape[d] == 1 && tensor.shape.size() == 1) {
          continue;
        }
        // One group is of however many inputs there are, and GPTQ's last one may be short.
        const bool any_inputs =
            test.name.find("one group") != std::string::npos ||
            (test.config.at("quant_method") == "gptq" && test.tensors.find("m.g_idx") == nullptr);
        if (any_inputs && tensor.name == "m.qweight" && d == 0) continue;
        // What the others are measured by: then they are named.
        expect_refused(
            test.name,
            [&](ModuleTestTensors& tensors) {
              RawTensor& damaged = tensors.at(tensor.name);
              const std::int64_t extent = damaged.shape[d]--;
              damaged.data =
                  damaged.data.first(damaged.data.size() / static_cast<std::size_t>(extent) *
                                     static_cast<std::size_t>(extent - 1));
            },
            ErrorCode::kCorrupt, "expected");
      }
    }
  }
}

TEST_F(DamagedModuleTest, TypesAreChecked) {
  const auto retype = [](std::string_view name, RawType type) {
    return [name, type](ModuleTestTensors& tensors) { tensors.at(name).type = type; };
  };
  expect_refused("awq g32", retype("m.qweight", RawType::kF32), ErrorCode::kCorrupt,
                 "F32 found, I32 expected");
  expect_refused("awq g32", retype("m.scales", RawType::kI16), ErrorCode::kCorrupt,
                 "I16 found, F16 or BF16 or F32 expected");
  expect_refused("gptq v1 g128", retype("m.qzeros", RawType::kU32), ErrorCode::kCorrupt,
                 "'m.qzeros': U32 found");
  expect_refused("packed g32", retype("m.weight_scale", RawType::kI16), ErrorCode::kCorrupt,
                 "weight_scale");
  expect_refused("fp8 blocks", retype("m.weight_scale_inv", RawType::kU32), ErrorCode::kCorrupt,
                 "weight_scale_inv");
  expect_refused("fp8 tensor", retype("m.weight", RawType::kF8E5M2), ErrorCode::kUnsupported,
                 "F8_E5M2 is not read");
}

TEST_F(DamagedModuleTest, GroupsOutOfRange) {
  for (const std::int32_t group : {-1, 5, 1 << 30}) {
    expect_refused(
        "gptq v1 act-order g32",
        [&](ModuleTestTensors& tensors) {
          std::vector<std::int32_t> groups(160, 0);
          groups[77] = group;
          tensors.remove("m.g_idx");
          tensors.add_numbers<std::int32_t>("m.g_idx", RawType::kI32, {160}, groups);
        },
        ErrorCode::kCorrupt, "'m.g_idx': groups");
  }
  expect_refused(
      "packed g32",
      [](ModuleTestTensors& tensors) {
        tensors.add_numbers<std::int64_t>("m.weight_g_idx", RawType::kI64, {96},
                                          std::vector<std::int64_t>(96, std::int64_t{1} << 40));
      },
      ErrorCode::kCorrupt, "out of range");
  expect_refused(
      "packed g32",
      [](ModuleTestTensors& tensors) {
        tensors.add_numbers<std::int32_t>("m.weight_g_idx", RawType::kI32, {96},
                                          std::vector<std::int32_t>(96, 3));
      },
      ErrorCode::kCorrupt, "groups 3 to 3 found, 0 to 2 expected");
}

TEST_F(DamagedModuleTest, GroupsOfFewerInputsThanThereAre) {
  for (const std::int64_t inputs : {std::int64_t{152}, std::int64_t{161}}) {
    expect_refused(
        "gptq v1 act-order g32",
        [&](ModuleTestTensors& tensors) {
          tensors.remove("m.g_idx");
          tensors.add_numbers<std::int32_t>(
              "m.g_idx", RawType::kI32, {inputs},
              std::vector<std::int32_t>(static_cast<std::size_t>(inputs), 0));
        },
        ErrorCode::kCorrupt, "the 160 inputs of 'qweight'");
  }
}

TEST_F(DamagedModuleTest, ShapesOfNothing) {
  expect_refused(
      "packed g32",
      [](ModuleTestTensors& tensors) {
        tensors.remove("m.weight_shape");
        tensors.add_numbers<std::int64_t>("m.weight_shape", RawType::kI64, {2}, {-20, 96});
      },
      ErrorCode::kCorrupt, "weight_packed");
  expect_refused(
      "gptq v1 g128",
      [](ModuleTestTensors& tensors) {
        tensors.at("m.qweight").shape = {0, 24};
        tensors.at("m.qweight").data = {};
      },
      ErrorCode::kCorrupt, "none of them 0");
}

TEST(ModulePatternTest, MatchesAsPythonsReMatchFromTheBeginning) {
  const auto matches = [](std::string_view pattern, std::string_view module) {
    return ModulePattern::compile(pattern).value().matches(module);
  };
  EXPECT_TRUE(matches("lm_head", "lm_head"));
  EXPECT_FALSE(matches("lm_head", "lm_head.x"));
  EXPECT_FALSE(matches("lm.head", "lm_head"));
  EXPECT_TRUE(matches("re:.*lm_head", "model.lm_head.x"));
  EXPECT_FALSE(matches("re:lm_head", "model.lm_head"));
  EXPECT_TRUE(matches("re:model\\.layers\\.[0-3]\\.", "model.layers.2.mlp"));
  EXPECT_FALSE(matches("re:model\\.layers\\.[0-3]\\.", "model.layers.22.mlp"));
  EXPECT_TRUE(matches("re:a|lm_head$", "lm_head"));
  // An expression that backs off without end matches nothing, soon.
  EXPECT_FALSE(matches("re:(a*)*(a*)*b", std::string(200, 'a')));
  EXPECT_EQ(ModulePattern::compile("re:(").error().code, ErrorCode::kCorrupt);
  EXPECT_FALSE(ModulePattern::compile("re:" + std::string(20000, 'a')).has_value());
}

}  // namespace
}  // namespace hangar::hf
