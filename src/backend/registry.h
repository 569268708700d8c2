// The list of backends: the one place that knows them all.
//
// Promise: make_backend("ref" | "cpu" | "cuda") gives a fresh backend. prepared_layout says how it
//   lays out weights: BackendOptions::prepared are of its use only if they were made under the same
//   text.
// Errors: kInvalidArgument with the names there are, or where BackendOptions::quant or a part of a
//   card's memory is asked of a backend of the host; "cuda": as load_backend and make_cuda_backend.
//   Error::field is the setting at fault, "backend" where it is none.
// Threads: any.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "backend/backend.h"
#include "backend/backend_options.h"
#include "base/result.h"

namespace hangar {

Result<std::unique_ptr<Backend>> make_backend(std::string_view name, const BackendOptions& options);
// threads <= 0: all processors this process may run on.
Result<std::unique_ptr<Backend>> make_backend(std::string_view name, int threads);
// "": it prepares nothing.
std::string prepared_layout(std::string_view name);
std::span<const std::string_view> backend_names();
// The file of the backend of cards, if this program can use it. Errors: as load_backend.
Result<std::filesystem::path> cuda_library();
// "cuda" where its library and a card's driver are there, else "cpu".
std::string_view usual_backend();

}  // namespace hangar
