// The list of backends: the one place that knows them all.
//
// Promise: make_backend("ref" | "cpu") gives a fresh backend.
// Errors: kInvalidArgument with the names there are.
// Threads: any.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "backend/backend.h"
#include "base/result.h"

namespace hangar {

// threads <= 0: all processors this process may run on.
Result<std::unique_ptr<Backend>> make_backend(std::string_view name, int threads);
std::span<const std::string_view> backend_names();

}  // namespace hangar
