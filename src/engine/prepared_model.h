// Weights that `hangar models prepare` laid out before: where they lie, and making them.
//
// Promise: prepared_path is one name for each model file (by its whole path, links resolved) and
//   backend. use_prepared opens what is there for this checkpoint, as it is now; what does not fit
//   any more or is damaged is left unused with a line in the log. A Preparation takes what a
//   backend loads to a file; without finish() nothing stays.
// Errors: as formats/prepared/prepared_file.h.
// Threads: one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "formats/checkpoint.h"
#include "formats/prepared/prepared_file.h"

namespace hangar {

// `model` is a file of the model's (the first, Checkpoint::files()).
std::filesystem::path prepared_path(const std::filesystem::path& folder,
                                    const std::filesystem::path& model, std::string_view backend);

// What prepared weights of this checkpoint must say of themselves. kUnsupported where the backend
// prepares nothing.
Result<PreparedFor> prepared_for(const Checkpoint& checkpoint, std::string_view backend);

// nullptr: there are none that can be used.
std::shared_ptr<const PreparedWeights> use_prepared(const std::filesystem::path& folder,
                                                    const Checkpoint& checkpoint,
                                                    std::string_view backend);

Result<std::unique_ptr<PreparedFileWriter>> start_preparing(const std::filesystem::path& folder,
                                                            const Checkpoint& checkpoint,
                                                            std::string_view backend,
                                                            std::function<bool()> cancelled);

// Loads all of the model's weights into `sink` and lets them go again.
Status load_into(PreparedSink& sink, const Checkpoint& checkpoint, std::string_view backend,
                 int threads);

}  // namespace hangar
