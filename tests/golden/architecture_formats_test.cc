// What FP8 and 4 bits cost each architecture: the tiny models, on a card, against 16 bits.
//
// Each prompt is computed whole and, all prompts side by side, a token a step; every position is
// compared with what the card answers in 16 bits (F16) to whole prompts. The models' weights are
// random, with rows of 32 columns: roundings hardly average out, a mixture's token goes to another
// expert when two score alike, and in 4 bits half of the choices are others. So figures are large,
// and say nothing of real models; what they are for is that a wrong scale or a wrong row makes
// them larger still: answers to other prompts are 4 to 12 apart. Matrices whose sizes products of
// few bits do not take stay in 16 bits; a model that has no others is said to be in 16 bits.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/registry.h"
#include "formats/checkpoint.h"
#include "golden/agreement.h"
#include "golden/architecture_cases.h"
#include "golden/figures_file.h"
#include "golden/sequence_model.h"

namespace hangar::golden {
namespace {

constexpr std::size_t kFormats = 4;

struct Format {
  std::string name;
  QuantOptions quant = {};
  std::optional<KvType> kv_type = {};
};

// What the others are compared with.
Format plain_format() {
  return {"16 bits", {WeightQuant::kNone, WeightQuant::kNone}, {}};
}

std::array<Format, kFormats> formats() {
  constexpr auto kFp8 = WeightQuant::kFp8;
  constexpr auto kInt4 = WeightQuant::kInt4;
  constexpr auto kNone = WeightQuant::kNone;
  return {{{"FP8", {kFp8, kNone}, {}},
           {"FP8, head 8, KV FP8", {kFp8, kFp8}, KvType::kFp8},
           {"4 bits", {kInt4, kNone}, {}},
           {"4 bits, head 4", {kInt4, kInt4}, {}}}};
}

// The mean KL of each format on an H200 (of both ways the larger).
struct Expected {
  std::string_view name;
  std::array<double, kFormats> kl;
};
constexpr Expected kExpected[] = {
    {"llama2", {0.14, 0.17, 0.71, 0.75}},
    {"llama3", {0.12, 0.15, 0.71, 0.77}},
    {"llama_biases", {0.072, 0.084, 0.38, 0.42}},
    {"mistral", {0.12, 0.14, 0.69, 0.7}},
    {"mixtral", {0.23, 0.31, 1.0, 1.1}},
    {"qwen2", {0.14, 0.18, 0.8, 0.84}},
    {"qwen2_windows", {0.19, 0.26, 0.84, 0.87}},
    {"qwen3", {0.06, 0.072, 0.27, 0.3}},
    {"qwen3moe", {0.11, 0.14, 0.92, 0.94}},
    {"qwen3moe_mixed", {0.16, 0.13, 0.75, 0.77}},
    {"gemma", {0.03, 0.038, 0.14, 0.17}},
    {"gemma2", {0.0047, 0.0071, 0.026, 0.037}},
    {"gemma3", {0.0089, 0.014, 0.066, 0.085}},
    {"phi3", {0.11, 0.16, 0.67, 0.71}},
    {"smollm3", {0.31, 0.36, 1.1, 1.2}},
    {"phi3_longrope_short", {0.15, 0.16, 0.59, 0.64}},
    {"phi3_longrope_long", {0.19, 0.23, 0.68, 0.72}},
};
// So few positions, with a few that are far off: the mean moves with every last bit.
constexpr double most_kl(double expected) {
  return 2.0 * expected + 0.02;
}

SequenceModelOptions options_of(const Format& format, std::int32_t context_tokens) {
  SequenceModelOptions options{.backend = "cuda", .kv_type = format.kv_type};
  options.backend_options.threads = 1;
  options.backend_options.device_memory_bytes = std::uint64_t{1} << 30U;
  options.backend_options.work_type = DType::kF16;
  options.backend_options.quant = format.quant;
  options.limits = {256, 256, context_tokens};
  return options;
}

struct Ways {
  Logits whole, tokens;
  std::size_t weight_bytes = 0;
};

std::optional<Ways> compute(const ArchitectureCase& test, const SequenceModelOptions& options) {
  std::vector<Text> texts;
  for (const ArchitecturePrompt& prompt : test.prompts) texts.push_back(prompt.ids);
  auto checkpoint = open_checkpoint(test.path(false));
  EXPECT_TRUE(checkpoint) << checkpoint.error().message;
  if (!checkpoint) return std::nullopt;
  auto model = SequenceModel::open(std::move(*checkpoint), options, lengths_of(texts));
  EXPECT_TRUE(model) << model.error().message;
  if (!model) return std::nullopt;
  return Ways{whole(**model, texts), token_by_token(**model, texts, texts.size()),
              (*model)->weight_bytes()};
}

struct Cell {
  Agreement whole, tokens;
  bool few_bits = false;

  double kl_mean() const { return std::max(whole.kl_mean, tokens.kl_mean); }
};

std::string told(const Cell& cell) {
  if (!cell.few_bits) return "in 16 bits";
  return fmt::format("{:.2g} / {:.2g}, {:.2g}, {:.0f}% / {:.0f}%", cell.whole.kl_mean,
                     cell.tokens.kl_mean, std::max(cell.whole.kl_max, cell.tokens.kl_max),
                     100.0 * cell.whole.same_choice(), 100.0 * cell.tokens.same_choice());
}

boost::json::object json(const Cell& cell) {
  const auto one = [](const Agreement& agreement) {
    return boost::json::object{
        {"positions", agreement.positions}, {"kl_mean", agreement.kl_mean},
        {"kl_max", agreement.kl_max},       {"same_choice", agreement.same_choice()},
        {"differ", agreement.differ},       {"near_ties", agreement.near_ties}};
  };
  return {{"few_bits", cell.few_bits},
          {"whole", one(cell.whole)},
          {"token_by_token", one(cell.tokens)}};
}

TEST(ArchitectureFormats, CudaFormatsAreCloseTo16Bits) {
  const SequenceModelOptions fewest = options_of(formats().back(), 0);
  if (const auto made = make_backend("cuda", fewest.backend_options); !made) {
    GTEST_SKIP() << "skipped: " << made.error().message;
  }
  std::cout << "KL to 16 bits (whole / token by token), of the worst position, the same choice\n| "
               "model |";
  for (const Format& format : formats()) std::cout << " " << format.name << " |";
  std::cout << "\n|---|---|---|---|---|\n";
  boost::json::object figures;
  const std::vector<ArchitectureCase> cases = read_architecture_cases();
  std::size_t of_few_bits = 0;
  for (const ArchitectureCase& test : cases) {
    SCOPED_TRACE(test.name);
    std::cout << "| " << test.name << " |";
    const auto* expected = std::ranges::find(kExpected, test.name, &Expected::name);
    ASSERT_NE(expected, std::end(kExpected));
    const auto plain = compute(test, options_of(plain_format(), test.context_tokens));
    ASSERT_TRUE(plain);
    boost::json::object of_model;
    for (std::size_t f = 0; f < kFormats; ++f) {
      const Format format = formats()[f];
      SCOPED_TRACE(format.name);
      const auto ways = compute(test, options_of(format, test.context_tokens));
      ASSERT_TRUE(ways);
      const Cell cell{agreement(plain->whole, ways->whole), agreement(plain->whole, ways->tokens),
                      ways->weight_bytes != plain->weight_bytes};
      std::cout << " " << told(cell) << " |" << std::flush;
      if (cell.few_bits) ++of_few_bits;
      EXPECT_LT(cell.kl_mean(), most_kl(expected->kl[f]));
      of_model[format.name] = json(cell);
    }
    std::cout << "\n";
    figures[test.name] = std::move(of_model);
  }
  // Each has a matrix at least of 16 rows and 32 columns.
  EXPECT_EQ(of_few_bits, cases.size() * kFormats);
  keep_figures("architecture_formats", std::move(figures));
}

}  // namespace
}  // namespace hangar::golden
