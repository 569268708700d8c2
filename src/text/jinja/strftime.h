// strftime_now's text for a moment.
//
// Promise: datetime.strftime's conversions in the C locale; the moment is UTC and, as
// datetime.now() is
//   naive, %z and %Z are empty and %f is all zeros.
// Errors: a result that would be very long: kResourceExhausted, thrown.
// Threads: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hangar::jinja {

class Heap;

std::string format_time(Heap& heap, std::string_view format, std::int64_t unix_s);

}  // namespace hangar::jinja
