// A stand-in for a tokenizer, for models that come without one (--load dummy).
//
// Promise: exactly `vocabulary` tokens. The first are bytes, printable ASCII before the rest; after
//   all 256 come " a", " b" ... " z", " aa" and so on, so that words of few letters are one token
//   and every id has a text of its own. Any text can be encoded where there are 256 tokens; one
//   that does not begin with a space gets one. The ids mean nothing to any model.
//   kStandInTemplate goes with it: each message as "role: content".
// Errors: none.
// Threads: a pure function.
#pragma once

#include <cstdint>
#include <string_view>

#include "text/tokenizer_spec.h"

namespace hangar {

inline constexpr std::string_view kStandInName = "stand-in";
inline constexpr std::string_view kStandInTemplate =
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}";

TokenizerSpec make_stand_in_tokenizer(std::int32_t vocabulary);

}  // namespace hangar
