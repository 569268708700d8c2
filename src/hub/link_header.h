// The Link header (RFC 8288), of which only one thing is wanted: where the next page is.
//
// Promise: next_link gives the target of the first link whose rel holds "next"; targets and quoted
//   parameters may hold commas and semicolons.
// Errors: nothing where there is no such link or the header is malformed.
// Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hangar::hub {

std::optional<std::string> next_link(std::string_view header);

}  // namespace hangar::hub
