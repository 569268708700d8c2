// What of config.json only some model types have: windows, experts, caps, biases, layers without
// rotation.
//
// Promise: each function takes what transformers takes, with its class's defaults where a key is
//   missing; FolderConfig's common part is filled before.
// Errors: kCorrupt, kUnsupported, with the key.
// Threads: pure functions.
#pragma once

#include "base/result.h"
#include "formats/hf/fields.h"
#include "formats/hf/model_types.h"

namespace hangar::hf {

Status read_llama_rest(const Fields& fields, FolderConfig& config);
Status read_mistral_rest(const Fields& fields, FolderConfig& config);
Status read_mixtral_rest(const Fields& fields, FolderConfig& config);
Status read_qwen2_rest(const Fields& fields, FolderConfig& config);
Status read_qwen3_rest(const Fields& fields, FolderConfig& config);
Status read_qwen3_moe_rest(const Fields& fields, FolderConfig& config);
Status read_gemma_rest(const Fields& fields, FolderConfig& config);
Status read_gemma2_rest(const Fields& fields, FolderConfig& config);
Status read_gemma3_rest(const Fields& fields, FolderConfig& config);
Status read_phi3_rest(const Fields& fields, FolderConfig& config);
Status read_smollm3_rest(const Fields& fields, FolderConfig& config);

}  // namespace hangar::hf
