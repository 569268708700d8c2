// The list of architectures: the one place that knows them all.
//
// Promise: find_architecture(name) gives the maker for GGUF's general.architecture, or nullptr.
// Threads: any.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "model/model.h"

namespace hangar {

struct Architecture {
  std::string_view name;
  Result<std::unique_ptr<Model>> (*make)(const Checkpoint& checkpoint, const ModelConfig& config,
                                         Backend& backend, const ModelLimits& limits);
};

std::span<const Architecture> architectures();
const Architecture* find_architecture(std::string_view name);

// One maker a file in this folder.
Result<std::unique_ptr<Model>> make_llama(const Checkpoint& checkpoint, const ModelConfig& config,
                                          Backend& backend, const ModelLimits& limits);

}  // namespace hangar
