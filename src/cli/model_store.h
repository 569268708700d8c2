// ModelStore: the model files that are here, and which one a name means.
//
// Promise: the folders are <cache>/models, then those of models_dir, in that order; each *.gguf of
//   them is a model (of split files the first part stands for all). A name is a path, a file name,
//   a file name without .gguf, or the alias: lower case, no quantization at its end
//   ("SmolLM2-135M-Instruct.Q4_1.gguf" is "smollm2-135m-instruct"). Letter case does not matter.
// Errors: resolve: kNotFound with what is here and how to get the default model; kInvalidArgument
//   where a name fits several files.
// Threads: const calls from any thread; each looks at the folders afresh.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/settings.h"

namespace hangar {

// The model that comes along: `./dev run` fetches it.
inline constexpr std::string_view kDefaultModelFile = "SmolLM2-135M-Instruct.Q4_1.gguf";

struct StoredModel {
  std::filesystem::path path;
  std::string id;  // what it is called, also in /v1/models
};

// "SmolLM2-135M-Instruct.Q4_1.gguf" -> "smollm2-135m-instruct"
std::string model_alias(std::string_view file_name);

class ModelStore {
 public:
  explicit ModelStore(std::vector<std::filesystem::path> folders) : folders_(std::move(folders)) {}
  // The folders that the settings and the environment call for.
  static ModelStore from_settings(const Settings& settings);

  const std::vector<std::filesystem::path>& folders() const { return folders_; }
  // By folder, then by name; a file whose alias another has too is called by its whole stem.
  std::vector<StoredModel> list() const;
  // "" means the default model, or the only one there is.
  Result<StoredModel> resolve(std::string_view name) const;

 private:
  std::vector<std::filesystem::path> folders_;
};

}  // namespace hangar
