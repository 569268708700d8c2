#include "cli/model_loading.h"

#include <algorithm>
#include <string>
#include <utility>

#include "backend/registry.h"
#include "base/paths.h"
#include "cli/loading_line.h"

namespace hangar {
namespace {

constexpr std::int64_t kStaticWaits = 20;  // of batch_wait_ms, as --help says

// "file", "dummy", "dummy:normal": nullopt for files.
std::optional<RandomWeights> random_weights(std::string_view load) {
  constexpr std::string_view kDummy = "dummy";
  if (!load.starts_with(kDummy)) return std::nullopt;
  load.remove_prefix(std::min(kDummy.size() + 1, load.size()));
  return RandomWeights{.kind = random_weights_of(load).value_or(RandomWeights::Kind::kUniform),
                       .seed = 0};
}

}  // namespace

Result<StoredModel> find_model(const Settings& settings) {
  const ModelStore store = ModelStore::from_settings(settings);
  const std::string& name = settings.text(Setting::kModel);
  const std::optional<RandomWeights> random = random_weights(settings.text(Setting::kLoad));
  if (!random) return store.resolve(name);
  if (name.empty()) {
    return tl::unexpected<Error>(Error{ErrorCode::kInvalidArgument,
                                       "--load dummy needs a --model: a folder with config.json",
                                       "--model"});
  }
  HANGAR_TRY(StoredModel stored, store.resolve_shape(name));
  stored.random = random;
  return stored;
}

Result<std::unique_ptr<Checkpoint>> open_model(const StoredModel& stored) {
  return stored.random ? open_dummy(stored.path, *stored.random) : open_checkpoint(stored.path);
}

std::string chosen_backend(const Settings& settings) {
  const std::string& asked = settings.text(Setting::kBackend);
  return asked == "auto" ? std::string(usual_backend()) : asked;
}

LocalEngineOptions engine_options(const Settings& settings) {
  LocalEngineOptions options;
  options.backend = chosen_backend(settings);
  options.threads = static_cast<int>(settings.integer(Setting::kThreads));
  options.pin_threads = settings.on(Setting::kPinThreads);
  const std::string& prepared = settings.text(Setting::kPreparedWeights);
  if (prepared != "off") options.prepared_folder = prepared_folder();
  options.make_prepared = prepared == "make";
  options.context_tokens = static_cast<std::int32_t>(settings.integer(Setting::kMaxContext));
  options.batching.policy =
      kBatchingNames.of(settings.text(Setting::kBatching)).value_or(BatchingPolicy::kContinuous);
  options.batching.max_sequences =
      static_cast<std::int32_t>(settings.integer(Setting::kMaxRunning));
  options.batching.batch_wait_us = settings.integer(Setting::kBatchWaitMs) * 1000;
  options.batching.static_wait_us = options.batching.batch_wait_us * kStaticWaits;
  options.step_tokens = static_cast<std::int32_t>(settings.integer(Setting::kStepTokens));
  options.quant.matrices = kWeightQuantNames.of(settings.text(Setting::kQuant));  // none for "auto"
  options.quant.head = kHeadQuantNames.of(settings.text(Setting::kQuantHead));
  options.quant.copies =
      kWeightCopiesNames.of(settings.text(Setting::kInt4Copies)).value_or(WeightCopies::kAuto);
  options.quant.fp8_sums =
      kFp8SumsNames.of(settings.text(Setting::kFp8Sums)).value_or(Fp8Sums::kFast);
  options.stack_layers = settings.text(Setting::kOneKernel) == "auto";
  options.kv_type = kKvTypeNames.of(settings.text(Setting::kKvType));  // none for "auto"
  options.kv_bytes = settings.bytes(Setting::kKvMemory);
  options.device_memory_share = settings.share(Setting::kGpuMemory);
  options.device_memory_bytes = settings.bytes(Setting::kGpuMemory);
  options.prefix_cache = settings.on(Setting::kPrefixCache);
  options.deterministic = settings.on(Setting::kDeterministic);
  options.speculate_tokens = static_cast<std::int32_t>(settings.integer(Setting::kSpeculate));
  options.max_waiting = static_cast<std::int32_t>(settings.integer(Setting::kMaxQueue));
  return options;
}

std::filesystem::path prepared_folder() {
  return cache_folder() / "prepared";
}

Result<std::unique_ptr<ServedModel>> load_model_shown(const StoredModel& stored,
                                                      const LocalEngineOptions& options) {
  const LoadingLine line("loading " + stored.id);
  return load_served_model(stored.path, stored.id, options, stored.random);
}

Result<std::unique_ptr<const Tokenizer>> open_tokenizer(const StoredModel& stored) {
  HANGAR_TRY(const std::unique_ptr<Checkpoint> checkpoint, open_model(stored));
  HANGAR_TRY(TokenizerSpec spec, checkpoint->tokenizer());
  auto tokenizer = make_tokenizer(std::move(spec));
  if (!tokenizer) return with_context(std::move(tokenizer.error()), stored.path.string());
  return tokenizer;
}

std::optional<ChatTemplateSource> default_template(const Checkpoint& checkpoint) {
  const std::vector<ChatTemplateSource> templates = checkpoint.chat_templates();
  for (const ChatTemplateSource& source : templates) {
    if (source.name == "default") return source;
  }
  if (templates.empty()) return std::nullopt;
  return templates.front();
}

}  // namespace hangar
