// Base64 (RFC 4648, section 4) undone.
//
// Promise: nullopt where the text is not base64; padding may be left out.
// Threads: a pure function.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hangar::hf {

std::optional<std::string> decode_base64(std::string_view text);

}  // namespace hangar::hf
