// A model folder's config.json.
//
// Promise: read_folder_config gives the hyper-parameters that transformers would take from the
//   file: its keys, its defaults where they are missing, its older and newer spellings. A key that
//   changes what is computed and that is not supported is refused; keys that mean nothing here are
//   logged. Numbers are held to sane bounds (config_limits.h); shapes are for tensor_map.h.
// Errors: kCorrupt (key, what was found, what was expected), kUnsupported (a model type, with the
//   nearest that is known; an option, by its name).
// Threads: a pure function.
#pragma once

#include <boost/json.hpp>
#include <string_view>

#include "base/result.h"
#include "formats/hf/model_types.h"

namespace hangar::hf {

// `file` is the path, for messages.
Result<FolderConfig> read_folder_config(const boost::json::object& config, std::string_view file);

}  // namespace hangar::hf
