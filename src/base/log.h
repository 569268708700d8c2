// The program's log: spdlog's default logger, on standard error.
//
// Promise: after start_log, spdlog::info and its kin write "2026-11-28 04:05:06.789 info ..." lines
//   to standard error, never to standard output, which belongs to answers.
// Errors: start_log: kInvalidArgument with the names there are.
// Threads: start_log once, before other threads start; logging from any.
#pragma once

#include <span>
#include <string_view>

#include "base/result.h"

namespace hangar {

// "trace", "debug", "info", "warn", "error", "off"
std::span<const std::string_view> log_level_names();
Status start_log(std::string_view level);

}  // namespace hangar
