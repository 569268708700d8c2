#include <malloc.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "formats/checkpoint.h"
#include "serve/served_model.h"

namespace hangar {
namespace {

Result<std::unique_ptr<ServedModel>> build(const std::filesystem::path& path, std::string id,
                                           const LocalEngineOptions& options,
                                           const std::optional<RandomWeights>& random) {
  HANGAR_TRY(std::shared_ptr<const Checkpoint> checkpoint,
             random ? open_dummy(path, *random) : open_checkpoint(path));
  if (random) {
    spdlog::warn("{}: weights are made up ({}): answers mean nothing", path.string(),
                 random_weights_name(random->kind));
  }
  HANGAR_TRY(TokenizerSpec spec, checkpoint->tokenizer());
  HANGAR_TRY(std::unique_ptr<const Tokenizer> tokenizer, make_tokenizer(std::move(spec)));
  HANGAR_TRY(ChatTemplates templates, ChatTemplates::parse(checkpoint->chat_templates()));
  HANGAR_TRY(std::unique_ptr<Engine> engine, make_local_engine(checkpoint, options));
  if (tokenizer->vocabulary() > engine->info().vocabulary) {
    // Such ids have no row in the embedding table.
    spdlog::warn("{}: the tokenizer knows {} tokens, the model {}", path.string(),
                 tokenizer->vocabulary(), engine->info().vocabulary);
  }
  if (templates.choose(false) == nullptr) {
    spdlog::warn("{}: no chat template; /v1/chat/completions will be refused", path.string());
  }
  auto model =
      std::make_unique<ServedModel>(std::move(id), std::move(tokenizer), std::move(templates),
                                    std::move(engine), checkpoint->generation_defaults());
  HANGAR_CHECK_OK(model->warm_up());
  // Reading the tokenizer and laying out weights leave holes that nothing fills again.
  (void)::malloc_trim(0);
  return model;
}

}  // namespace

Result<std::unique_ptr<ServedModel>> load_served_model(const std::filesystem::path& path,
                                                       std::string id,
                                                       const LocalEngineOptions& options,
                                                       const std::optional<RandomWeights>& random) {
  Result<std::unique_ptr<ServedModel>> model = build(path, std::move(id), options, random);
  if (model) return model;
  // Most errors name the file already, and those of a backend are not about it.
  if (model.error().message.find(path.filename().string()) != std::string::npos) return model;
  if (model.error().field == "backend") return model;
  return with_context(std::move(model.error()), path.string());
}

}  // namespace hangar
