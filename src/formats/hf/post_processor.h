// The post_processor of a tokenizer.json: which special tokens go around a text and a pair of them.
//
// Promise: `single` and `pair` are what TemplateProcessing, BertProcessing or RobertaProcessing lay
//   out; both are empty where nothing is added.
// Errors: kCorrupt, kUnsupported: the place and the name; ids are checked by the caller.
// Threads: pure functions.
#pragma once

#include <boost/json/value.hpp>
#include <vector>

#include "base/result.h"
#include "text/tokenizer_spec.h"

namespace hangar::hf {

struct PostProcessor {
  std::vector<TemplatePiece> single, pair;
};

Result<PostProcessor> read_post_processor(const boost::json::value& value);

}  // namespace hangar::hf
