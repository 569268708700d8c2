#include <spdlog/spdlog.h>

#include <utility>

#include "formats/checkpoint.h"
#include "serve/served_model.h"

namespace hangar {
namespace {

// The template that chat uses: the one named "default", or the only one there is.
Result<std::optional<ChatTemplate>> load_chat_template(const Checkpoint& checkpoint) {
  const std::vector<ChatTemplateSource> sources = checkpoint.chat_templates();
  const ChatTemplateSource* chosen = sources.size() == 1 ? sources.data() : nullptr;
  for (const ChatTemplateSource& source : sources) {
    if (source.name == "default") chosen = &source;
  }
  if (chosen == nullptr) return std::optional<ChatTemplate>();
  Result<ChatTemplate> parsed = ChatTemplate::parse(chosen->text);
  if (!parsed) {
    return with_context(std::move(parsed.error()),
                        fmt::format("chat template \"{}\"", chosen->name));
  }
  return std::optional<ChatTemplate>(std::move(*parsed));
}

Result<std::unique_ptr<ServedModel>> build(const std::filesystem::path& path, std::string id,
                                           const LocalEngineOptions& options) {
  HANGAR_TRY(std::shared_ptr<const Checkpoint> checkpoint, open_checkpoint(path));
  HANGAR_TRY(TokenizerSpec spec, checkpoint->tokenizer());
  HANGAR_TRY(std::unique_ptr<const Tokenizer> tokenizer, make_tokenizer(std::move(spec)));
  HANGAR_TRY(std::optional<ChatTemplate> chat_template, load_chat_template(*checkpoint));
  HANGAR_TRY(std::unique_ptr<Engine> engine, make_local_engine(checkpoint, options));
  if (tokenizer->vocabulary() > engine->info().vocabulary) {
    // Such ids have no row in the embedding table.
    spdlog::warn("{}: the tokenizer knows {} tokens, the model {}", path.string(),
                 tokenizer->vocabulary(), engine->info().vocabulary);
  }
  if (!chat_template) {
    spdlog::warn("{}: no chat template; /v1/chat/completions will be refused", path.string());
  }
  return std::make_unique<ServedModel>(std::move(id), std::move(tokenizer),
                                       std::move(chat_template), std::move(engine));
}

}  // namespace

Result<std::unique_ptr<ServedModel>> load_served_model(const std::filesystem::path& path,
                                                       std::string id,
                                                       const LocalEngineOptions& options) {
  Result<std::unique_ptr<ServedModel>> model = build(path, std::move(id), options);
  if (model) return model;
  // Most errors name the file already.
  if (model.error().message.find(path.filename().string()) != std::string::npos) return model;
  return with_context(std::move(model.error()), path.string());
}

}  // namespace hangar
