#include "cli/commands/offline_setup.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "base/clock.h"
#include "base/terminal.h"
#include "base/units.h"
#include "bench/report_parts.h"
#include "cli/loading_line.h"
#include "cli/model_loading.h"
#include "engine/kv_budget.h"

namespace hangar {
namespace {

// Requests of a load that run at once: what suits a backend (Backend::usual_step_sizes).
constexpr std::int32_t kMostOfALoad = 256;
constexpr std::int32_t kMostOfALoadOnACard = 512;
constexpr std::int32_t kHostStepTokens = 512;
constexpr std::string_view kCardBackend = "cuda";

std::int32_t at_once(const bench::OfflineTest& test, bool card) {
  if (test.kind != bench::OfflineKind::kLoad) return test.requests;
  const std::int32_t most = card ? kMostOfALoadOnACard : kMostOfALoad;
  return std::min(test.requests, test.at_once > 0 ? test.at_once : most);
}

bool is_default(const Settings& settings, Setting setting) {
  return settings.value(setting).source == SettingSource::kDefault;
}

// Of one token in all layers, at least what the host backends take.
std::uint64_t kv_token_bytes(const ModelConfig& config, std::optional<KvType> type) {
  const std::uint64_t elements = 2ULL * static_cast<std::uint64_t>(config.layers) *
                                 static_cast<std::uint64_t>(config.kv_heads) *
                                 static_cast<std::uint64_t>(config.head_dim);
  return elements * (type == KvType::kF16 || type == KvType::kBF16 ? 2 : 4);
}

}  // namespace

LocalEngineOptions offline_engine_options(const Settings& settings,
                                          const bench::OfflinePlan& plan) {
  LocalEngineOptions options = engine_options(settings);
  const bool card = options.backend == kCardBackend;
  std::int32_t sequences = 1;
  std::int32_t context = 1;
  std::uint64_t most_tokens = 1;
  for (const bench::OfflineTest& test : plan.tests) {
    const std::int32_t tokens = test.input_tokens + test.output_tokens;
    sequences = std::max(sequences, at_once(test, card));
    context = std::max(context, tokens);
    // A block more for each: the last one is seldom full.
    most_tokens = std::max(most_tokens, static_cast<std::uint64_t>(at_once(test, card)) *
                                            static_cast<std::uint64_t>(tokens + 16));
    options.max_waiting = std::max(options.max_waiting, test.requests);
  }
  if (is_default(settings, Setting::kMaxRunning)) options.batching.max_sequences = sequences;
  if (is_default(settings, Setting::kMaxContext)) {
    options.context_tokens = std::min(context, plan.config.context_tokens);
  }
  if (is_default(settings, Setting::kStepTokens)) {
    options.step_tokens = card ? 0 : std::max(kHostStepTokens, options.batching.max_sequences);
  }
  if (is_default(settings, Setting::kKvMemory) && !card) {
    const std::optional<KvType> type =
        options.kv_type ? options.kv_type
                        : std::optional(options.backend == "ref" ? KvType::kF32 : KvType::kF16);
    const std::uint64_t token_bytes = kv_token_bytes(plan.config, type);
    const std::uint64_t one = token_bytes * static_cast<std::uint64_t>(options.context_tokens + 16);
    const std::uint64_t free = available_memory_bytes();
    options.kv_bytes = most_tokens * token_bytes;
    if (free > 0) options.kv_bytes = std::max(one, std::min(options.kv_bytes, free / 2));
  }
  return options;
}

StoredSizes stored_sizes(const Checkpoint& checkpoint, const ModelConfig& config,
                         const EngineInfo& info) {
  constexpr double kBitsPerByte = 8.0;
  constexpr double kTableBytesOnACard = 2.0;  // of an element, whatever the matrices have
  double elements = 0.0;
  double bytes = 0.0;
  for (const TensorView& view : checkpoint.tensors()) {
    elements += static_cast<double>(view.elements());
    bytes += static_cast<double>(row_bytes(view.dtype, view.columns())) *
             static_cast<double>(view.rows());
  }
  if (info.weight_bytes > 0) bytes = static_cast<double>(info.weight_bytes);
  // A table that is no head: a step looks up its tokens' rows and reads no more of it. Elsewhere it
  // has the bits of the rest, or nearly.
  const TensorView* table = checkpoint.find("token_embd.weight");
  if (table != nullptr && !config.tied_embeddings && info.backend.starts_with(kCardBackend)) {
    const auto count = static_cast<double>(table->elements());
    bytes -= kTableBytesOnACard * count;
    elements -= count;
  }
  StoredSizes sizes;
  if (elements > 0.0) sizes.weight_bits = bytes * kBitsPerByte / elements;
  const double tokens = static_cast<double>(info.kv_blocks) * info.block_tokens;
  if (tokens > 0.0) sizes.kv_token_bytes = static_cast<double>(info.kv_bytes) / tokens;
  return sizes;
}

void drop_peers(bench::OfflinePlan& plan, const LocalEngineOptions& options) {
  const ModelConfig& config = plan.config;
  const bool sixteen_bits =
      options.quant.matrices.value_or(WeightQuant::kNone) == WeightQuant::kNone;
  if (sixteen_bits && config.layers == 32 && config.hidden == 4096 &&
      config.feed_forward == 14336 && config.heads == 32 && config.kv_heads == 8 &&
      config.vocabulary == 128256) {
    return;
  }
  for (bench::OfflineTest& test : plan.tests) test.peer.reset();
}

BenchFacts offline_facts(const Checkpoint& checkpoint, const EngineInfo& info,
                         const bench::OfflinePlan& plan) {
  const ModelConfig& config = plan.config;
  BenchFacts facts = {
      {"model", fmt::format("{}: {} layers, hidden {}, {} + {} heads of {}, vocabulary {}",
                            info.model, config.layers, config.hidden, config.heads, config.kv_heads,
                            config.head_dim, config.vocabulary)},
      {"weights",
       fmt::format("{}; {}; {:.2f} bits of each of the {} that a token goes through",
                   checkpoint.format(), format_bytes(info.weight_bytes), plan.sizes.weight_bits,
                   format_count(static_cast<std::uint64_t>(active_elements(config))))},
      {"compute", info.backend},
      {"keys and values",
       fmt::format("{} of {}: {} blocks of {} tokens", format_bytes(info.kv_bytes), info.kv_type,
                   info.kv_blocks, info.block_tokens)},
      {"steps",
       fmt::format("{} sequences, {} tokens at most", info.max_running, info.step_tokens)}};
  if (plan.rates.bytes_per_s > 0.0 || plan.rates.operations_per_s > 0.0) {
    facts.emplace_back("bound by",
                       fmt::format("{} GB/s, {} TFLOPS, as given (0: not given)",
                                   bench::shown_number(plan.rates.bytes_per_s / 1e9),
                                   bench::shown_number(plan.rates.operations_per_s / 1e12)));
  }
  const bool peers = std::any_of(plan.tests.begin(), plan.tests.end(),
                                 [](const auto& test) { return test.peer.has_value(); });
  if (peers) facts.emplace_back("peer", "vLLM 0.26.0, this shape in BF16 on one H200 of 141 GB");
  return facts;
}

OfflineProgressLine::OfflineProgressLine()
    : terminal_(is_terminal(STDERR_FILENO)), columns_(terminal_columns(STDERR_FILENO)) {}

OfflineProgressLine::~OfflineProgressLine() {
  if (shown_) write_error_output("\r\x1b[K");
}

void OfflineProgressLine::show(const bench::OfflineTest& test, std::int32_t repeat,
                               const EngineStats& stats) {
  constexpr std::int64_t kRedrawUs = 200'000;
  const std::int64_t now_us = steady_now_us();
  if (!terminal_ || now_us < next_us_) return;
  next_us_ = now_us + kRedrawUs;
  std::string text =
      fmt::format("{}  {}, {} running, {} waiting", test.name(),
                  repeat == 0 ? "warming up" : fmt::format("run {} of {}", repeat, test.repeats),
                  stats.running, stats.waiting);
  text.resize(std::min(text.size(), static_cast<std::size_t>(columns_ > 1 ? columns_ - 1 : 1)));
  write_error_output("\r\x1b[K" + text);
  shown_ = true;
}

}  // namespace hangar
