// What the tests of tokenizer stages share: stages.json (tools/make_tokenizer_stage_golden.py) and
// specs made of how it writes a stage.
//
// Promise: a kind or a setting that is not known stops the test program.
// Threads: pure functions.
#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "text/tokenizer_test_data.h"

namespace hangar::test {

inline const boost::json::value& stages_json() {
  static const boost::json::value all = read_json("stages.json");
  return all;
}

template <typename Value>
Value named(const std::map<std::string, Value>& names, const boost::json::value& name) {
  const auto found = names.find(boost::json::value_to<std::string>(name));
  if (found == names.end()) throw std::runtime_error("no such name");
  return found->second;
}

// Sets the fields that specs of all three sorts may have.
template <typename Spec>
void set_pattern(const std::string& key, const boost::json::value& value, Spec& spec) {
  spec.pattern = {.text = boost::json::value_to<std::string>(value), .regex = key == "regex"};
}

inline PrependScheme prepend_of(const boost::json::value& value) {
  return named<PrependScheme>({{"always", PrependScheme::kAlways},
                               {"first", PrependScheme::kFirst},
                               {"never", PrependScheme::kNever}},
                              value);
}

inline NormalizerSpec normalizer_of(const boost::json::value& stage) {
  using Kind = NormalizerKind;
  NormalizerSpec spec;
  spec.kind = named<Kind>({{"nfc", Kind::kNfc},
                           {"nfd", Kind::kNfd},
                           {"nfkc", Kind::kNfkc},
                           {"nfkd", Kind::kNfkd},
                           {"lowercase", Kind::kLowercase},
                           {"strip", Kind::kStrip},
                           {"strip_accents", Kind::kStripAccents},
                           {"replace", Kind::kReplace},
                           {"prepend", Kind::kPrepend},
                           {"bert", Kind::kBert},
                           {"nmt", Kind::kNmt},
                           {"byte_level", Kind::kByteLevel}},
                          stage.at(0));
  for (const auto& [name, value] : stage.at(1).as_object()) {
    const std::string key = name;
    if (key == "left") {
      spec.left = value.as_bool();
    } else if (key == "right") {
      spec.right = value.as_bool();
    } else if (key == "content") {
      spec.content = value.as_string();
    } else if (key == "clean_text") {
      spec.clean_text = value.as_bool();
    } else if (key == "chinese") {
      spec.chinese = value.as_bool();
    } else if (key == "lowercase") {
      spec.lowercase = value.as_bool();
    } else if (key == "strip_accents") {
      spec.strip_accents = value.as_bool();
    } else if (key == "pattern" || key == "regex") {
      set_pattern(key, value, spec);
    } else {
      throw std::runtime_error("normalizer: " + key);
    }
  }
  return spec;
}

inline PreTokenizerSpec pre_tokenizer_of(const boost::json::value& stage) {
  using Kind = PreTokenizerKind;
  PreTokenizerSpec spec;
  spec.kind = named<Kind>({{"split", Kind::kSplit},
                           {"byte_level", Kind::kByteLevel},
                           {"metaspace", Kind::kMetaspace},
                           {"whitespace", Kind::kWhitespace},
                           {"whitespace_split", Kind::kWhitespaceSplit},
                           {"bert", Kind::kBert},
                           {"punctuation", Kind::kPunctuation},
                           {"digits", Kind::kDigits},
                           {"char_delimiter", Kind::kCharDelimiter},
                           {"unicode_scripts", Kind::kUnicodeScripts},
                           {"fixed_length", Kind::kFixedLength}},
                          stage.at(0));
  for (const auto& [name, value] : stage.at(1).as_object()) {
    const std::string key = name;
    if (key == "behavior") {
      spec.behavior =
          named<SplitBehavior>({{"removed", SplitBehavior::kRemoved},
                                {"isolated", SplitBehavior::kIsolated},
                                {"merged_with_previous", SplitBehavior::kMergedWithPrevious},
                                {"merged_with_next", SplitBehavior::kMergedWithNext},
                                {"contiguous", SplitBehavior::kContiguous}},
                               value);
    } else if (key == "invert") {
      spec.invert = value.as_bool();
    } else if (key == "add_prefix_space") {
      spec.add_prefix_space = value.as_bool();
    } else if (key == "use_regex") {
      spec.use_regex = value.as_bool();
    } else if (key == "prepend") {
      spec.prepend = prepend_of(value);
    } else if (key == "split") {
      spec.split = value.as_bool();
    } else if (key == "individual") {
      spec.individual = value.as_bool();
    } else if (key == "length") {
      spec.length = static_cast<std::uint32_t>(value.as_int64());
    } else if (key == "pattern" || key == "regex") {
      set_pattern(key, value, spec);
    } else {
      throw std::runtime_error("pre-tokenizer: " + key);
    }
  }
  return spec;
}

inline DecoderSpec decoder_of(const boost::json::value& stage) {
  using Kind = DecoderKind;
  DecoderSpec spec;
  spec.kind = named<Kind>({{"byte_level", Kind::kByteLevel},
                           {"metaspace", Kind::kMetaspace},
                           {"word_piece", Kind::kWordPiece},
                           {"byte_fallback", Kind::kByteFallback},
                           {"fuse", Kind::kFuse},
                           {"strip", Kind::kStrip},
                           {"replace", Kind::kReplace},
                           {"bpe", Kind::kBpe}},
                          stage.at(0));
  for (const auto& [name, value] : stage.at(1).as_object()) {
    const std::string key = name;
    if (key == "content") {
      spec.content = value.as_string();
    } else if (key == "prepend") {
      spec.prepend = prepend_of(value);
    } else if (key == "cleanup") {
      spec.cleanup = value.as_bool();
    } else if (key == "start") {
      spec.start = static_cast<std::uint32_t>(value.as_int64());
    } else if (key == "stop") {
      spec.stop = static_cast<std::uint32_t>(value.as_int64());
    } else if (key == "pattern" || key == "regex") {
      set_pattern(key, value, spec);
    } else {
      throw std::runtime_error("decoder: " + key);
    }
  }
  return spec;
}

template <typename Make>
auto all_of(const boost::json::value& stages, Make make) {
  std::vector<decltype(make(stages))> specs;
  for (const auto& stage : stages.as_array()) specs.push_back(make(stage));
  return specs;
}

}  // namespace hangar::test
