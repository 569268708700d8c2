#include "formats/hf/stage_fields.h"

#include <algorithm>
#include <array>
#include <limits>

#include "formats/hf/strict_json.h"
#include "text/utf8.h"

namespace hangar::hf {
namespace {

const boost::json::object& no_object() {
  static const boost::json::object kNone;
  return kNone;
}

const boost::json::array& no_array() {
  static const boost::json::array kNone;
  return kNone;
}

bool is_one_character(std::string_view text) {
  return !text.empty() && next_utf8(text).bytes == text.size();
}

}  // namespace

std::string element_place(std::string_view place, std::string_view list, std::size_t index) {
  return fmt::format("{}.{}[{}]", place, list, index);
}

StageFields::StageFields(const boost::json::value& value, std::string place)
    : object_(value.if_object()), place_(std::move(place)) {
  if (object_ == nullptr) {
    object_ = &no_object();
    error_ = Error{ErrorCode::kCorrupt, fmt::format("tokenizer.json: '{}': {} found, an object "
                                                    "expected",
                                                    place_, brief(value))};
    return;
  }
  const boost::json::value* type = required("type", "a stage's name");
  if (type == nullptr) return;
  if (type->is_string()) {
    type_ = type->get_string();
  } else {
    fail(ErrorCode::kCorrupt, "type", fmt::format("{} found, a name expected", brief(*type)));
  }
}

void StageFields::fail(ErrorCode code, std::string_view name, std::string_view what) {
  if (error_) return;
  error_ = Error{code, fmt::format("tokenizer.json: '{}.{}': {}", place_, name, what)};
}

const boost::json::value* StageFields::value(std::string_view name) {
  asked_.push_back(name);
  return object_->if_contains(name);
}

const boost::json::value* StageFields::required(std::string_view name, std::string_view expected) {
  const boost::json::value* found = value(name);
  if (found == nullptr) {
    fail(ErrorCode::kCorrupt, name, fmt::format("missing, {} expected", expected));
  }
  return found;
}

bool StageFields::flag(std::string_view name, std::optional<bool> otherwise) {
  const boost::json::value* found = otherwise ? value(name) : required(name, "true or false");
  if (found == nullptr) return otherwise.value_or(false);
  if (found->is_bool()) return found->get_bool();
  fail(ErrorCode::kCorrupt, name, fmt::format("{} found, true or false expected", brief(*found)));
  return false;
}

std::optional<bool> StageFields::optional_flag(std::string_view name) {
  const boost::json::value* found = value(name);
  if (found == nullptr || found->is_null()) return std::nullopt;
  if (found->is_bool()) return found->get_bool();
  fail(ErrorCode::kCorrupt, name,
       fmt::format("{} found, true, false or null expected", brief(*found)));
  return std::nullopt;
}

std::string StageFields::text(std::string_view name, std::optional<std::string_view> otherwise) {
  const boost::json::value* found = otherwise ? value(name) : required(name, "a string");
  if (found == nullptr) return std::string(otherwise.value_or(""));
  if (found->is_string()) return std::string(std::string_view(found->get_string()));
  fail(ErrorCode::kCorrupt, name, fmt::format("{} found, a string expected", brief(*found)));
  return "";
}

std::optional<std::string> StageFields::optional_text(std::string_view name) {
  const boost::json::value* found = value(name);
  if (found == nullptr || found->is_null()) return std::nullopt;
  if (found->is_string()) return std::string(std::string_view(found->get_string()));
  fail(ErrorCode::kCorrupt, name,
       fmt::format("{} found, a string or null expected", brief(*found)));
  return std::nullopt;
}

std::string StageFields::character(std::string_view name) {
  std::string one = text(name);
  if (!error_ && !is_one_character(one)) {
    fail(ErrorCode::kCorrupt, name, fmt::format("\"{}\" found, one character expected", one));
  }
  return one;
}

std::uint32_t StageFields::count(std::string_view name, std::optional<std::uint32_t> otherwise) {
  const boost::json::value* found = otherwise ? value(name) : required(name, "a whole number");
  if (found == nullptr) return otherwise.value_or(0);
  const std::int64_t* number = found->if_int64();
  if (number != nullptr && *number >= 0 && *number <= std::numeric_limits<std::int32_t>::max()) {
    return static_cast<std::uint32_t>(*number);
  }
  fail(ErrorCode::kCorrupt, name,
       fmt::format("{} found, a whole number from 0 to {} expected", brief(*found),
                   std::numeric_limits<std::int32_t>::max()));
  return 0;
}

TextPattern StageFields::pattern() {
  constexpr std::string_view kExpected = R"({"String": ...} or {"Regex": ...})";
  const boost::json::value* found = required("pattern", kExpected);
  if (found == nullptr) return {};
  if (const boost::json::object* object = found->if_object(); object && object->size() == 1) {
    const auto& [kind, text] = *object->begin();
    const bool regex = kind == "Regex";
    if ((regex || kind == "String") && text.is_string()) {
      return {std::string(std::string_view(text.get_string())), regex};
    }
  }
  fail(ErrorCode::kUnsupported, "pattern",
       fmt::format("{} found, {} expected", brief(*found), kExpected));
  return {};
}

SplitBehavior StageFields::behavior(std::optional<SplitBehavior> otherwise) {
  constexpr std::array<std::pair<std::string_view, SplitBehavior>, 5> kNames = {{
      {"Removed", SplitBehavior::kRemoved},
      {"Isolated", SplitBehavior::kIsolated},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous},
  }};
  if (otherwise && !object_->contains("behavior")) return *otherwise;
  const std::string name = text("behavior");
  for (const auto& [known, behavior] : kNames) {
    if (known == name) return behavior;
  }
  fail(ErrorCode::kUnsupported, "behavior",
       fmt::format("\"{}\" is not known, only Removed, Isolated, MergedWithPrevious, "
                   "MergedWithNext, Contiguous",
                   name));
  return SplitBehavior::kIsolated;
}

const boost::json::array& StageFields::array(std::string_view name) {
  const boost::json::value* found = required(name, "a list");
  if (found == nullptr) return no_array();
  if (found->is_array()) return found->get_array();
  fail(ErrorCode::kCorrupt, name, fmt::format("{} found, a list expected", brief(*found)));
  return no_array();
}

Status StageFields::done() {
  for (const auto& [name, value] : *object_) {
    if (std::find(asked_.begin(), asked_.end(), std::string_view(name)) == asked_.end()) {
      fail(ErrorCode::kUnsupported, name,
           fmt::format("this field of {} is not known", type_.empty() ? "it" : type_));
    }
  }
  if (error_) return tl::unexpected<Error>(*error_);
  return {};
}

Status StageFields::unknown_type(std::string_view known) {
  fail(ErrorCode::kUnsupported, "type",
       fmt::format("\"{}\" is not supported; supported: {}", type_, known));
  return tl::unexpected<Error>(*error_);
}

}  // namespace hangar::hf
