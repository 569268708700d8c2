// The list of architectures: the one place that knows them all.
//
// Promise: find_architecture(name) gives the maker for GGUF's general.architecture, or nullptr.
//   Hugging Face's "mistral" and "mixtral", which GGUF stores as "llama", have names of their own.
// Threads: any.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "model/model_source.h"

namespace hangar {

struct Architecture {
  std::string_view name;
  Result<std::unique_ptr<Model>> (*make)(const ModelSource& source);
};

std::span<const Architecture> architectures();
const Architecture* find_architecture(std::string_view name);

// One maker a file in this folder.
Result<std::unique_ptr<Model>> make_gemma(const ModelSource& source);
Result<std::unique_ptr<Model>> make_gemma2(const ModelSource& source);
Result<std::unique_ptr<Model>> make_gemma3(const ModelSource& source);
Result<std::unique_ptr<Model>> make_llama(const ModelSource& source);
Result<std::unique_ptr<Model>> make_mistral(const ModelSource& source);
Result<std::unique_ptr<Model>> make_mixtral(const ModelSource& source);
Result<std::unique_ptr<Model>> make_phi3(const ModelSource& source);
Result<std::unique_ptr<Model>> make_qwen2(const ModelSource& source);
Result<std::unique_ptr<Model>> make_qwen3(const ModelSource& source);
Result<std::unique_ptr<Model>> make_qwen3moe(const ModelSource& source);
Result<std::unique_ptr<Model>> make_smollm3(const ModelSource& source);

}  // namespace hangar
