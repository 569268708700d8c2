// StageFields: the fields of one stage of a tokenizer.json: {"type": "Split", "pattern": ...}.
//
// Promise: every field is asked for exactly once or done() refuses it by its name, so nothing in a
//   file goes unheeded. Getters give a default after the first error, which done() tells.
// Errors: kCorrupt (a field missing or of a wrong type), kUnsupported (an unknown field, type or
//   value): with the place, "tokenizer.json: 'pre_tokenizer.pretokenizers[1].behavior'".
// Lifetime: a view on the JSON.
// Threads: one thread.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/tokenizer_spec.h"

namespace hangar::hf {

class StageFields {
 public:
  // `place` is the path of `value`, which should be an object with a type.
  StageFields(const boost::json::value& value, std::string place);

  std::string_view type() const { return type_; }
  const std::string& place() const { return place_; }

  bool flag(std::string_view name, std::optional<bool> otherwise = std::nullopt);
  std::optional<bool> optional_flag(std::string_view name);  // missing or null: none
  std::string text(std::string_view name, std::optional<std::string_view> otherwise = std::nullopt);
  std::string character(std::string_view name);  // exactly one
  std::uint32_t count(std::string_view name, std::optional<std::uint32_t> otherwise = std::nullopt);
  TextPattern pattern();  // {"String": ...} or {"Regex": ...}
  SplitBehavior behavior(std::optional<SplitBehavior> otherwise = std::nullopt);
  std::optional<std::string> optional_text(std::string_view name);
  const boost::json::array& array(std::string_view name);
  const boost::json::value* value(std::string_view name);  // as it is; nullptr: missing
  void ignore(std::string_view name) { value(name); }      // without a say in the ids

  void fail(ErrorCode code, std::string_view name, std::string_view what);
  // The first error, or that there is a field nobody asked for.
  Status done();
  Status unknown_type(std::string_view known);

 private:
  const boost::json::value* required(std::string_view name, std::string_view expected);

  const boost::json::object* object_ = nullptr;
  std::string place_;
  std::string_view type_;
  std::vector<std::string_view> asked_;
  std::optional<Error> error_;
};

// The place of an element: "decoder.decoders[3]".
std::string element_place(std::string_view place, std::string_view list, std::size_t index);

}  // namespace hangar::hf
