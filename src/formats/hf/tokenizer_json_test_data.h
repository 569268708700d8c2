// A small tokenizer.json as a tree, for tests to change and break.
//
// Promise: small_tokenizer() is whole: read_tokenizer_json takes it.
// Threads: pure functions.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "formats/hf/tokenizer_json.h"

namespace hangar::hf::test {

inline boost::json::value json(std::string_view text) {
  return boost::json::parse(text);
}

inline boost::json::object small_tokenizer() {
  return json(R"({
    "version": "1.0", "truncation": {"max_length": 128}, "padding": null,
    "added_tokens": [
      {"id": 0, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false,
       "normalized": false, "special": true},
      {"id": 5, "content": "<tool>", "single_word": true, "lstrip": true, "rstrip": true,
       "normalized": true, "special": false}],
    "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
    "model": {"type": "BPE", "dropout": null, "unk_token": null,
      "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
      "byte_fallback": false, "ignore_merges": false,
      "vocab": {"<s>": 0, "a": 1, "b": 2, "ab": 3, "\u00e9\"": 4}, "merges": ["a b"]}})")
      .as_object();
}

inline Result<TokenizerSpec> read(std::string_view tokenizer_json, std::string_view config = "",
                                  std::string_view special_tokens_map = "") {
  TokenizerFiles files;
  files.tokenizer_json = tokenizer_json;
  files.tokenizer_config_json = config;
  files.special_tokens_map_json = special_tokens_map;
  return read_tokenizer_json(files);
}

inline Result<TokenizerSpec> read(const boost::json::object& file, std::string_view config = "",
                                  std::string_view special_tokens_map = "") {
  return read(boost::json::serialize(file), config, special_tokens_map);
}

// small_tokenizer() with one top-level field changed.
inline Result<TokenizerSpec> read_with(std::string_view field, std::string_view value) {
  boost::json::object file = small_tokenizer();
  file[field] = json(value);
  return read(file);
}

// The same with a field of the model changed.
inline Result<TokenizerSpec> read_with_model(std::string_view field, std::string_view value) {
  boost::json::object file = small_tokenizer();
  file["model"].as_object()[field] = json(value);
  return read(file);
}

}  // namespace hangar::hf::test
