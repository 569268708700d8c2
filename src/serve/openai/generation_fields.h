// The fields that chat and completions share: sampling, stopping, streaming, and what is refused.
//
// Promise: defaults and ranges are OpenAI's where it has the field; top_k, min_p,
//   repetition_penalty, ignore_eos, min_tokens, priority and timeout_s are Hangar's own additions.
//   "user" is whose request it is: those of one user share a place in the queue's fairness.
//   "priority" has vLLM's meaning: the lower goes first.
// Errors: kept in the reader, with the field's name.
// Threads: any.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/request.h"
#include "serve/openai/field_reader.h"
#include "serve/sampling_defaults.h"

namespace hangar {

constexpr std::int64_t kMaxChoices = 128;

struct GenerationFields {
  std::string model;
  SamplingParams sampling;
  SamplingGiven given;  // which of them the body holds; the model's defaults fill in the rest
  std::int32_t choices = 1;
  std::vector<std::string> stop;
  bool stream = false;
  bool include_usage = false;
  bool ignore_eos = false;
  std::int32_t min_tokens = 0;
  std::string tenant;         // "user"
  std::int32_t priority = 0;  // as the engine has it: higher first
  std::optional<double> timeout_s;
};

GenerationFields read_generation_fields(FieldReader& reader);

// A field that OpenAI knows and Hangar does not support: refused unless its value changes nothing.
struct ClosedField {
  std::string_view name;
  bool (*changes_nothing)(const boost::json::value& value);
  std::string_view reason;
};
void refuse_closed_fields(FieldReader& reader, std::span<const ClosedField> fields);

// Values that change nothing, for tables of ClosedField.
bool never(const boost::json::value& value);
bool is_false(const boost::json::value& value);
bool is_empty(const boost::json::value& value);  // [] or {}
bool is_string_of(const boost::json::value& value, std::span<const std::string_view> allowed);

}  // namespace hangar
