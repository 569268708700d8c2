// From a folder's tensors to those of a Checkpoint: GGUF's names, shapes held to the config.
//
// Promise: map_tensors lists every tensor that the config calls for, each with the shape it calls
//   for. Matrices stay where they are, in the file's type; vectors (norms, biases) become F32, and
//   the norms of Gemma, stored as their difference from 1, get that 1 added. Experts come one by
//   one, also where the file stacks them. What a LinearFormat holds is listed without data, its
//   module beside it. A folder's tensors that nothing calls for are named in the log.
// Errors: kCorrupt (a tensor missing, or of another shape: its own name, what was found and what
//   was expected), kUnsupported (a type that is no weight's, by its name).
// Lifetime: the views point into `raw`'s tensors.
// Threads: a pure function.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/hf/linear_format.h"
#include "formats/hf/model_types.h"
#include "formats/hf/raw_tensors.h"
#include "tensor/tensor_view.h"

namespace hangar::hf {

struct MappedModel {
  std::vector<TensorView> tensors;
  // Of each tensor: the module that `format` reads, or "" where the tensor's data is there.
  std::vector<std::string> modules;
};

// `format` may be nullptr; `file` is the folder, for messages.
Result<MappedModel> map_tensors(const FolderConfig& config, const RawTensors& raw,
                                const LinearFormat* format, std::string_view file);

}  // namespace hangar::hf
