// Loads a backend from a library of its own.
//
// Promise: looks for `library` where HANGAR_LIBRARY_PATH says, else beside the program, in lib/
//   beside it and in ../lib. The library stays loaded as long as the program runs.
// Errors: kUnsupported: not there, cannot be loaded (what it needs is missing), or built from
//   another version; the message says which, and what to do. Whatever making the backend fails
//   with.
// Threads: any.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "backend/backend.h"
#include "backend/backend_options.h"
#include "base/result.h"

namespace hangar {

// Whether load_backend would find it.
bool library_is_here(const std::string& library);
// Where it is, if load_backend could take it: loaded, and of this build.
Result<std::filesystem::path> try_library(const std::string& library);
Result<std::unique_ptr<Backend>> load_backend(const std::string& library,
                                              const BackendOptions& options);

}  // namespace hangar
