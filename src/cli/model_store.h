// ModelStore: the models that are here, and which one a name means.
//
// Promise: the folders are <cache>/models, then those of models_dir, in that order. A model is a
// *.gguf
//   file in one of them (of split files the first part stands for all), a folder in one of them
//   with config.json and safetensors, or what `hangar models pull` brought into <cache>/models/hf.
//   A name is hf:org/name as pulled, a path of a file or a folder, a file name, a file name without
//   .gguf, or the alias: the one given to `models pull`, else lower case without the quantization
//   at its end
//   ("SmolLM2-135M-Instruct.Q4_1.gguf" is "smollm2-135m-instruct"). Letter case does not matter.
//   While the StoredModel that resolve() gave lives, `hangar models rm` refuses to remove that
//   model.
// Errors: resolve, resolve_shape: kNotFound with what is here and how to get what is not;
// kInvalidArgument where a
//   name fits several models.
// Threads: const calls from any thread; each looks at the folders afresh.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/settings.h"
#include "tensor/random_weights.h"

namespace hangar {

namespace hub {
class FileLock;
struct HubName;
}  // namespace hub

// The model that comes along: `./dev run` fetches it.
inline constexpr std::string_view kDefaultModelFile = "SmolLM2-135M-Instruct.Q4_1.gguf";

struct StoredModel {
  std::filesystem::path path;  // what open_checkpoint takes
  std::string id;              // what it is called, also in /v1/models
  // Of a pulled model: "hf:org/name@COMMIT..." and the folder with its manifest.
  std::string source = {};
  std::filesystem::path folder = {};
  std::shared_ptr<const hub::FileLock> in_use = {};
  // With --load dummy: its weights are not read but made up so.
  std::optional<RandomWeights> random = {};
};

// "SmolLM2-135M-Instruct.Q4_1.gguf" -> "smollm2-135m-instruct"
std::string model_alias(std::string_view file_name);

class ModelStore {
 public:
  explicit ModelStore(std::vector<std::filesystem::path> folders) : folders_(std::move(folders)) {}
  // The folders that the settings and the environment call for.
  static ModelStore from_settings(const Settings& settings);

  const std::vector<std::filesystem::path>& folders() const { return folders_; }
  // Where pulled models go: the first folder.
  std::filesystem::path home() const;
  // By folder, then by name, pulled ones after the files of the first folder; models whose alias
  // another has too are called by something longer.
  std::vector<StoredModel> list() const;
  // A model without its weights: a folder with config.json or that file, by its path, or what
  // resolve() finds; `name` is not "".
  Result<StoredModel> resolve_shape(std::string_view name) const;
  // "" means the default model, or the only one there is.
  Result<StoredModel> resolve(std::string_view name) const;
  // The same without marking it as in use: to look at or remove it.
  Result<StoredModel> find(std::string_view name) const;

 private:
  Result<StoredModel> find_default() const;
  Result<StoredModel> find_hub(std::string_view name) const;
  Result<StoredModel> find_path(std::string_view name) const;

  std::vector<std::filesystem::path> folders_;
};

}  // namespace hangar
