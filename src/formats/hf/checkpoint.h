// A Hugging Face model as a Checkpoint, from its parts: the folder's files are found elsewhere
// (folder.h), so that tests and the fuzzer need no disk.
//
// Promise: as formats/checkpoint.h; config.json has been read and every tensor's shape held to it.
//   With ModelParts::random it is open_dummy's.
// Errors: kCorrupt, kUnsupported.
// Threads: const after open.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "formats/checkpoint.h"
#include "formats/hf/raw_tensors.h"

namespace hangar::hf {

struct ModelParts {
  std::string folder;  // for messages
  std::string title;   // the model's name
  std::string license;
  std::optional<std::string> config_json;  // with tensors
  std::optional<std::string> generation_config_json;
  // Of older AWQ and GPTQ folders, whose config.json says nothing of it.
  std::string quantization_file;  // "quantize_config.json"
  std::optional<std::string> quantization_json;
  std::vector<ChatTemplateSource> templates;
  // Called when the tokenizer is asked for; nullptr: there is none, with `random` a stand-in.
  std::function<Result<TokenizerSpec>()> read_tokenizer;
  std::unique_ptr<const RawTensors> tensors;  // nullptr: a tokenizer alone, or `random`
  std::optional<RandomWeights> random;        // the config's tensors, without data
  std::vector<std::pair<std::string, std::string>> tensor_metadata;
  std::vector<std::filesystem::path> files;
  std::uint64_t file_bytes = 0;
};

Result<std::unique_ptr<Checkpoint>> make_checkpoint(ModelParts parts);

}  // namespace hangar::hf
