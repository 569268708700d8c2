// The normalizer, pre_tokenizer and decoder of a tokenizer.json, sequences laid flat.
//
// Promise: the stages in the order in which the file applies them; null gives none.
// Errors: kCorrupt, kUnsupported: the place and the name (formats/hf/stage_fields.h).
// Threads: pure functions.
#pragma once

#include <boost/json/value.hpp>
#include <vector>

#include "base/result.h"
#include "text/tokenizer_spec.h"

namespace hangar::hf {

Result<std::vector<NormalizerSpec>> read_normalizers(const boost::json::value& value);
Result<std::vector<PreTokenizerSpec>> read_pre_tokenizers(const boost::json::value& value);
Result<std::vector<DecoderSpec>> read_decoders(const boost::json::value& value);

}  // namespace hangar::hf
