// Hugging Face models on disk: a folder, or one .safetensors file in its folder.
//
// Promise: as formats/checkpoint.h. A folder with a tokenizer and without weights opens too, as a
//   vocabulary alone. A .safetensors file is read with the config.json beside it.
// Errors: as folder_files.h, mapped_tensors.h, checkpoint.h; kInvalidArgument where the file is one
//   shard of several, or no config.json where that is wanted.
// Threads: any.
#pragma once

#include <filesystem>
#include <memory>

#include "base/mapped_file.h"
#include "base/result.h"
#include "formats/checkpoint.h"

namespace hangar::hf {

// What makes a folder one of these: config.json or a tokenizer.
bool is_model_folder(const std::filesystem::path& path);
Result<std::unique_ptr<Checkpoint>> open_folder(const std::filesystem::path& path);
Result<std::unique_ptr<Checkpoint>> open_safetensors(MappedFile file);
// As open_dummy (formats/checkpoint.h).
Result<std::unique_ptr<Checkpoint>> open_config_alone(const std::filesystem::path& path,
                                                      const RandomWeights& random);

}  // namespace hangar::hf
