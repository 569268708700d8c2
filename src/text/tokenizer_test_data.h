// What the tokenizer tests share: the committed corpus under tests/data/tokenizer/ and small specs.
//
// Promise: read_json stops the test program where a file is missing or is not JSON.
// Threads: pure functions.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "text/added_tokens.h"
#include "text/byte_spelling.h"
#include "text/pre_tokenizers.h"
#include "text/tokenizer_spec.h"

namespace hangar::test {

inline boost::json::value read_json(std::string_view name) {
  const std::string path =
      std::string(HANGAR_SOURCE_DIR) + "/tests/data/tokenizer/" + std::string(name);
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + path);
  return boost::json::parse(
      std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()));
}

template <typename T>
std::vector<T> list_of(const boost::json::value& value) {
  return boost::json::value_to<std::vector<T>>(value);
}

inline std::vector<std::string> corpus_texts() {
  return list_of<std::string>(read_json("texts.json"));
}

inline void apply(std::string_view pre_tokenizer, TokenizerSpec& spec) {
  const Status applied = apply_pre_tokenizer(pre_tokenizer, spec);
  if (!applied) throw std::runtime_error(applied.error().message);
}

// "left right".
inline void add_merge(std::string_view pair, TokenizerSpec& spec) {
  const std::size_t space = pair.find(' ', 1);
  spec.merges.add(pair.substr(0, space), pair.substr(space + 1));
}

// A token for each byte, by value, and nothing else.
inline TokenizerSpec byte_spec(std::string_view pre_tokenizer) {
  TokenizerSpec spec;
  spec.model_name = "gpt2";
  apply(pre_tokenizer, spec);
  for (int byte = 0; byte < 256; ++byte) {
    spec.tokens.push_back(spell_bytes(std::string(1, static_cast<char>(byte))));
  }
  return spec;
}

// The trained vocabulary of tiny_bpe.json.
inline TokenizerSpec tiny_spec(const boost::json::value& tiny, std::string_view pre_tokenizer) {
  TokenizerSpec spec;
  spec.model_name = "gpt2";
  apply(pre_tokenizer, spec);
  spec.tokens = list_of<std::string>(tiny.at("tokens"));
  for (const auto& pair : list_of<std::string>(tiny.at("merges"))) add_merge(pair, spec);
  for (const auto& kind : list_of<std::string>(tiny.at("kinds"))) {
    spec.kinds.push_back(kind == "control"        ? TokenKind::kControl
                         : kind == "user-defined" ? TokenKind::kUserDefined
                                                  : TokenKind::kNormal);
  }
  spec.added = added_tokens_of_kinds(spec);
  return spec;
}

// A small generator, the same on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint32_t below(std::uint32_t bound) {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::uint32_t>((state_ >> 33U) % bound);
  }

 private:
  std::uint64_t state_;
};

}  // namespace hangar::test
