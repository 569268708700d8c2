// The Replace normalizer: each match of a pattern becomes another text.
//
// Promise: a string pattern costs one pass without expressions (" " to "\u2581").
// Errors: kUnsupported (an expression that is not).
// Threads: const and thread-safe.
#pragma once

#include <memory>

#include "text/normalizers.h"

namespace hangar {

Result<std::unique_ptr<const NormalizerStage>> make_replace_normalizer(const NormalizerSpec& spec);

}  // namespace hangar
