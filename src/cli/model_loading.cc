#include "cli/model_loading.h"

#include <string>
#include <utility>

#include "base/paths.h"
#include "cli/loading_line.h"

namespace hangar {
namespace {

constexpr std::int64_t kStaticWaits = 20;  // of batch_wait_ms, as --help says

}  // namespace

Result<StoredModel> find_model(const Settings& settings) {
  return ModelStore::from_settings(settings).resolve(settings.text(Setting::kModel));
}

LocalEngineOptions engine_options(const Settings& settings) {
  LocalEngineOptions options;
  options.backend = settings.text(Setting::kBackend);
  options.threads = static_cast<int>(settings.integer(Setting::kThreads));
  options.pin_threads = settings.on(Setting::kPinThreads);
  const std::string& prepared = settings.text(Setting::kPreparedWeights);
  if (prepared != "off") options.prepared_folder = prepared_folder();
  options.make_prepared = prepared == "make";
  options.context_tokens = static_cast<std::int32_t>(settings.integer(Setting::kMaxContext));
  options.batching.policy =
      batching_of(settings.text(Setting::kBatching)).value_or(BatchingPolicy::kContinuous);
  options.batching.max_sequences =
      static_cast<std::int32_t>(settings.integer(Setting::kMaxRunning));
  options.batching.batch_wait_us = settings.integer(Setting::kBatchWaitMs) * 1000;
  options.batching.static_wait_us = options.batching.batch_wait_us * kStaticWaits;
  options.step_tokens = static_cast<std::int32_t>(settings.integer(Setting::kStepTokens));
  options.kv_type = kv_type_of(settings.text(Setting::kKvType));  // none for "auto"
  options.kv_bytes = settings.bytes(Setting::kKvMemory);
  options.prefix_cache = settings.on(Setting::kPrefixCache);
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
  return load_served_model(stored.path, stored.id, options);
}

Result<std::unique_ptr<const Tokenizer>> open_tokenizer(const StoredModel& stored) {
  HANGAR_TRY(const std::unique_ptr<Checkpoint> checkpoint, open_checkpoint(stored.path));
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
