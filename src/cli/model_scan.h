// What lies in the folders of models, each with the names it could be called by.
//
// Promise: scan_models finds what ModelStore's contract calls a model. give_ids chooses for each
// the
//   shortest of its names that no other has; the default model and aliases that a person gave keep
//   theirs. Names are lower case.
// Errors: none: a folder that is not there or may not be read holds nothing.
// Threads: any; each call looks afresh.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cli/model_store.h"

namespace hangar {

struct FoundModel {
  StoredModel stored;
  std::vector<std::string> names;  // from the shortest to the surest
  std::size_t chosen = 0;          // which of them is its id
  bool keeps_name = false;
};

std::vector<FoundModel> scan_models(const std::vector<std::filesystem::path>& folders);
void give_ids(std::vector<FoundModel>& models);

// "Model-Q8_0-00001-of-00002.gguf" -> "model-q8_0"
std::string model_stem(std::string_view file_name);
// A split GGUF model's other parts, and the file itself.
std::vector<std::filesystem::path> parts_of(const std::filesystem::path& file);
// config.json and safetensors in it.
bool is_model_folder(const std::filesystem::path& folder);

}  // namespace hangar
