// The keys of config.json that are not read: refused, harmless, or not known.
//
// Promise: check_keys refuses a key that changes what a model computes unless it has the value that
//   changes nothing; a key that is neither read nor known to be harmless is named in the log.
// Errors: kUnsupported, with the key and its value.
// Threads: a pure function.
#pragma once

#include "base/result.h"
#include "formats/hf/fields.h"
#include "formats/hf/model_types.h"

namespace hangar::hf {

Status check_keys(const Fields& fields, const ModelType& type);

}  // namespace hangar::hf
