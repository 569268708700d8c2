// Which files of a repository make the model.
//
// Promise: of a safetensors repository: the weights once, and the small files that say how to use
// them
//   (config, tokenizer, templates, licence); of a GGUF repository: the one quantization that was
//   asked for, all its parts. What would run code when opened (PyTorch's pickles) is never taken. A
//   repository that would not load is refused here, before anything is downloaded.
// Errors: kNotFound (no such quantization or file; nothing of use), kInvalidArgument (a choice is
//   to be made, with what there is and its size), kUnsupported (only formats that are not read),
//   kCorrupt (parts of a split model are missing).
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hub/hub_name.h"
#include "hub/repo_api.h"

namespace hangar::hub {

struct Selection {
  std::vector<HubFile> files;  // by path
  std::string model_file;      // what to open: a GGUF file; "" for the folder
  // Tells the models of one commit apart: "" for the folder, else the GGUF file's name without its
  // part number and ".gguf".
  std::string variant;
};

struct SelectionOptions {
  HubName name;
  std::vector<std::string> include;  // globs; these files instead of the usual ones
  std::vector<std::string> exclude;
};

Result<Selection> select_files(const std::vector<HubFile>& all, const SelectionOptions& options);

// Whether a GGUF file's path is the quantization people mean: "dir/M-Q4_K_M-00001-of-00002.gguf"
// and
// "Q4_K_M/M.gguf" are "q4_k_m".
bool is_quantization_of(std::string_view path, std::string_view quantization);
// "dir/M-Q4_K_M-00001-of-00002.gguf" -> "dir/M-Q4_K_M": one for all parts.
std::string gguf_group(std::string_view path);

}  // namespace hangar::hub
