// What a ModuleRule comes to under a config: whether a layer has the module, and its sizes.
//
// Promise: sizes are within config_limits.h's bounds, so that their products do not overflow.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "formats/hf/model_types.h"

namespace hangar::hf {

bool layer_has_module(const ModuleRule& rule, const ModelConfig& model, std::int32_t layer);
std::int64_t module_size(Size size, const ModelConfig& model);
bool module_has_bias(Bias bias, const FolderConfig& config);
// "ffn_gate.#" and 3: "ffn_gate.3".
std::string with_number(std::string_view pattern, std::int32_t number);

}  // namespace hangar::hf
