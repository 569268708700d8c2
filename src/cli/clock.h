// Clocks of the commands: a monotonic one to measure with (base/clock.h), and text for moments of
// the calendar.
//
// Promise: parse_moment reads seconds since 1970 or ISO 8601 ("2026-11-28", "2026-11-28T04:05:06Z",
//   "2026-11-28T04:05:06+02:00"); without an offset the time is UTC.
// Errors: parse_moment: kInvalidArgument.
// Threads: any.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace hangar {

Result<std::int64_t> parse_moment(std::string_view text);  // seconds since 1970, UTC

}  // namespace hangar
