// Loading a model for a command: which file, with which options, and a progress line while it
// takes.
//
// Promise: find_model and engine_options read the settings (--load too: open_model and
//   load_model_shown then make up what is not read); load_model_shown loads with a progress
//   line on standard error where it takes longer than half a second. open_tokenizer needs no
//   tensors: a file that holds only a vocabulary will do.
// Errors: those of the store, the file, the tokenizer and the engine.
// Threads: main's; the progress line has a thread of its own while loading.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/model_store.h"
#include "cli/settings.h"
#include "engine/local_engine.h"
#include "formats/checkpoint.h"
#include "serve/served_model.h"
#include "text/tokenizer.h"

namespace hangar {

Result<StoredModel> find_model(const Settings& settings);
// Its files, or with --load dummy its shape.
Result<std::unique_ptr<Checkpoint>> open_model(const StoredModel& stored);
// Where `hangar models prepare` puts what it makes: beside the models, in the cache.
std::filesystem::path prepared_folder();
// The one that it prepares for.
inline constexpr std::string_view kPreparingBackend = "cpu";
// --backend, with auto made out.
std::string chosen_backend(const Settings& settings);
LocalEngineOptions engine_options(const Settings& settings);
Result<std::unique_ptr<ServedModel>> load_model_shown(const StoredModel& stored,
                                                      const LocalEngineOptions& options);
Result<std::unique_ptr<const Tokenizer>> open_tokenizer(const StoredModel& stored);
// The template a conversation takes: the one named "default", else the first.
std::optional<ChatTemplateSource> default_template(const Checkpoint& checkpoint);

}  // namespace hangar
