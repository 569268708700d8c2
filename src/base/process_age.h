// How long this process has been there.
//
// Promise: seconds from when the system started the process (before its program was loaded) until
//   now, to about 10 ms: what a person has waited.
// Errors: nullopt where the system does not say (/proc).
// Threads: any.
#pragma once

#include <optional>

namespace hangar {

std::optional<double> process_age_s();

}  // namespace hangar
