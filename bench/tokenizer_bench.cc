// How fast text becomes ids, with the default model's vocabulary: MB/s of one thread.
// Its peer is Hugging Face's tokenizers on the same texts (docs/benchmarks.md has both figures).
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "formats/checkpoint.h"
#include "text/tokenizer.h"

namespace hangar {
namespace {

constexpr std::string_view kEnglish =
    "The scheduler decides, for each step, which sequences run and with how many tokens. A prompt "
    "of "
    "2,048 tokens doesn't have to be computed at once: it's cut into chunks, so that those who "
    "wait "
    "for their next word aren't held up by one that's only just begun.\n\n";
constexpr std::string_view kCode =
    "  for (std::size_t i = 0; i + 1 < row.size(); ++i) {\n"
    "    if (ranks[i] < ranks[best]) best = i;  // the leftmost of the best\n  }\n"
    "\treturn {\"status\": \"ok\", \"count\": 12345, \"items\": [0x1F, 3.14e-10, null]};\n";
constexpr std::string_view kManyScripts =
    "Съешь же ещё этих мягких булок. 我能吞下玻璃而不伤身体。 いろはにほへと、カタカナ。 다람쥐 헌 "
    "쳇바퀴. "
    "نص حكيم له سر قاطع. ऋषियों को सताने वाले। Tiếng Việt có sáu thanh. "
    "👩🏽‍🚀🏳️‍🌈 "
    "Ξεσκεπάζω "
    "την βδελυγμία.\n";

std::filesystem::path model_path() {
  if (const char* named = std::getenv("HANGAR_TEST_MODEL")) return named;
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const std::filesystem::path base = cache != nullptr && *cache != '\0'
                                         ? std::filesystem::path(cache)
                                     : home != nullptr ? std::filesystem::path(home) / ".cache"
                                                       : std::filesystem::path(".");
  return base / "hangar/models/SmolLM2-135M-Instruct.Q4_1.gguf";
}

Result<TokenizerSpec> model_spec() {
  HANGAR_TRY(auto checkpoint, open_checkpoint(model_path()));
  return checkpoint->tokenizer();
}

Result<std::unique_ptr<const Tokenizer>> model_tokenizer() {
  HANGAR_TRY(auto spec, model_spec());
  return make_tokenizer(std::move(spec));
}

void BM_Encode(benchmark::State& state, std::string_view unit) {
  const auto tokenizer = model_tokenizer();
  if (!tokenizer) {
    state.SkipWithError(tokenizer.error().message.c_str());
    return;
  }
  std::string text;
  while (text.size() < static_cast<std::size_t>(state.range(0))) text += unit;
  std::size_t ids = 0;
  for (auto _ : state) ids = (*tokenizer)->encode(text, {.add_special = false}).size();
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
  state.counters["bytes/token"] = static_cast<double>(text.size()) / static_cast<double>(ids);
}
BENCHMARK_CAPTURE(BM_Encode, english, kEnglish)->Arg(200)->Arg(1 << 20);
BENCHMARK_CAPTURE(BM_Encode, code, kCode)->Arg(1 << 20);
BENCHMARK_CAPTURE(BM_Encode, many_scripts, kManyScripts)->Arg(1 << 20);
BENCHMARK_CAPTURE(BM_Encode, one_letter, "a")->Arg(1 << 20)->Unit(benchmark::kMillisecond);

void BM_MakeTokenizer(benchmark::State& state) {
  const auto spec = model_spec();
  if (!spec) {
    state.SkipWithError(spec.error().message.c_str());
    return;
  }
  for (auto _ : state) {
    auto tokenizer = make_tokenizer(*spec);
    benchmark::DoNotOptimize(tokenizer);
  }
}
BENCHMARK(BM_MakeTokenizer)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace hangar
