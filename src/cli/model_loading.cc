#include "cli/model_loading.h"

#include <string>
#include <utility>

#include "cli/loading_line.h"

namespace hangar {

Result<StoredModel> find_model(const Settings& settings) {
  return ModelStore::from_settings(settings).resolve(settings.text(Setting::kModel));
}

LocalEngineOptions engine_options(const Settings& settings) {
  LocalEngineOptions options;
  options.backend = settings.text(Setting::kBackend);
  options.threads = static_cast<int>(settings.integer(Setting::kThreads));
  options.context_tokens = static_cast<std::int32_t>(settings.integer(Setting::kMaxContext));
  return options;
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
