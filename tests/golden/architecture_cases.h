// The cases of tests/golden/architectures.{json,bin}: prompts to tiny models and what transformers
// answers, as tools/make_architecture_golden.py wrote them down.
//
// Promise: read_architecture_cases() gives all of them, or fails the test with what is wrong.
// Units: logits as the model gives them, {positions, vocabulary} of a prompt.
// Threads: values.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace hangar::golden {

struct ArchitecturePrompt {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> positions;     // ascending; those whose logits are known
  std::vector<std::vector<float>> logits;  // of each position
};

struct ArchitectureCase {
  std::string name;
  std::string model;  // a folder of tests/data/models, and with `gguf` NAME.gguf beside it
  bool gguf = false;
  std::int32_t context_tokens = 0;  // that the model is started with; 0: its own
  std::vector<ArchitecturePrompt> prompts;

  std::filesystem::path path(bool of_gguf) const;
};

std::vector<ArchitectureCase> read_architecture_cases();

}  // namespace hangar::golden
