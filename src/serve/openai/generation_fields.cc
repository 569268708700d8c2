#include "serve/openai/generation_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

namespace hangar {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxStops = 4;
constexpr std::size_t kMaxStopBytes = 4096;
constexpr std::size_t kMaxBiases = 1024;  // each is looked at for every token
constexpr std::size_t kMaxUserBytes = 512;
constexpr double kMaxTimeoutS = 1e6;
constexpr std::int64_t kMaxInt32 = std::numeric_limits<std::int32_t>::max();

// False: the body does not hold it.
bool read_float(FieldReader& reader, std::string_view name, NumberRange range, float& out) {
  const auto value = reader.number(name, range);
  if (!value) return false;
  out = static_cast<float>(*value);
  // What is above zero stays above it in single precision.
  if (range.above_low && out <= 0.0F) out = std::numeric_limits<float>::min();
  return true;
}

// Keys are token ids written as strings; whether the model has them is checked with the model.
void read_logit_bias(FieldReader& reader, SamplingParams& sampling) {
  const json::object* biases = reader.object("logit_bias");
  if (biases == nullptr) return;
  const std::string path = reader.path_of("logit_bias");
  if (biases->size() > kMaxBiases) {
    return reader.fail(invalid_value(
        path, fmt::format("{} tokens are biased, at most {} may be.", biases->size(), kMaxBiases),
        "object_above_max_length"));
  }
  for (const auto& entry : *biases) {
    if (reader.failed()) return;
    const std::string_view key(entry.key().data(), entry.key().size());
    std::int32_t token = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token);
    if (error != std::errc() || end != key.data() + key.size() || token < 0) {
      return reader.fail(
          invalid_value(path, fmt::format("the key '{}' is not a token id.", key.substr(0, 40)),
                        "invalid_token_id"));
    }
    const auto bias =
        reader.number_in(entry.value(), fmt::format("{}.{}", path, key), {-100.0, 100.0});
    if (bias) sampling.logit_bias.emplace_back(token, static_cast<float>(*bias));
  }
}

void read_stop(FieldReader& reader, std::vector<std::string>& stop) {
  const json::value* value = reader.any("stop");
  if (value == nullptr) return;
  const std::string path = reader.path_of("stop");
  const auto add = [&](const json::value& item, const std::string& item_path) {
    const json::string* text = item.if_string();
    if (text == nullptr) {
      reader.fail(invalid_type(item_path, "a string", item));
    } else if (text->empty()) {
      reader.fail(invalid_value(item_path, "a stop string must not be empty.", "empty_string"));
    } else if (text->size() > kMaxStopBytes) {
      reader.fail(invalid_value(item_path,
                                fmt::format("a stop string has at most {} bytes.", kMaxStopBytes),
                                "string_above_max_length"));
    } else {
      stop.emplace_back(text->data(), text->size());
    }
  };
  if (value->is_string()) return add(*value, path);
  const json::array* list = value->if_array();
  if (list == nullptr) {
    return reader.fail(invalid_type(path, "a string or an array of strings", *value));
  }
  if (list->size() > kMaxStops) {
    return reader.fail(invalid_value(
        path,
        fmt::format("array too long. Expected an array with maximum length {}, but got an array "
                    "with length {} instead.",
                    kMaxStops, list->size()),
        "array_above_max_length"));
  }
  for (std::size_t i = 0; i < list->size(); ++i) add((*list)[i], fmt::format("{}[{}]", path, i));
}

void read_stream(FieldReader& reader, GenerationFields& fields) {
  fields.stream = reader.boolean("stream").value_or(false);
  const json::object* options = reader.object("stream_options");
  if (options == nullptr) return;
  const std::string path = reader.path_of("stream_options");
  if (!fields.stream) {
    return reader.fail(invalid_value(
        path, "The 'stream_options' parameter is only allowed when 'stream' is enabled."));
  }
  FieldReader inner(*options, path);
  fields.include_usage = inner.boolean("include_usage").value_or(false);
  inner.boolean("include_obfuscation");  // padding against observers; there is none to leave out
  if (const auto status = inner.finish(); !status) reader.fail(status.error());
}

void read_user(FieldReader& reader, std::string& tenant) {
  const json::string* user = reader.string("user");
  if (user == nullptr) return;
  if (user->size() > kMaxUserBytes) {
    return reader.fail(invalid_value(reader.path_of("user"),
                                     fmt::format("it has at most {} bytes.", kMaxUserBytes),
                                     "string_above_max_length"));
  }
  tenant.assign(user->data(), user->size());
}

}  // namespace

bool never(const json::value& /*value*/) {
  return false;
}

bool is_false(const json::value& value) {
  return value.is_bool() && !value.get_bool();
}

bool is_empty(const json::value& value) {
  return (value.is_array() && value.get_array().empty()) ||
         (value.is_object() && value.get_object().empty());
}

bool is_string_of(const json::value& value, std::span<const std::string_view> allowed) {
  const json::string* text = value.if_string();
  if (text == nullptr) return false;
  const std::string_view view(text->data(), text->size());
  return std::find(allowed.begin(), allowed.end(), view) != allowed.end();
}

void refuse_closed_fields(FieldReader& reader, std::span<const ClosedField> fields) {
  for (const ClosedField& field : fields) {
    const json::value* value = reader.any(field.name);
    if (value == nullptr || field.changes_nothing(*value)) continue;
    reader.fail(unsupported_parameter(reader.path_of(field.name), std::string(field.reason)));
  }
}

GenerationFields read_generation_fields(FieldReader& reader) {
  GenerationFields fields;
  reader.require("model");
  if (const json::string* model = reader.string("model")) {
    fields.model.assign(model->data(), model->size());
  }
  SamplingParams& sampling = fields.sampling;
  SamplingGiven& given = fields.given;
  given.temperature = read_float(reader, "temperature", {0.0, 2.0}, sampling.temperature);
  given.top_p = read_float(reader, "top_p", {0.0, 1.0, true}, sampling.top_p);
  read_float(reader, "presence_penalty", {-2.0, 2.0}, sampling.presence_penalty);
  read_float(reader, "frequency_penalty", {-2.0, 2.0}, sampling.frequency_penalty);
  given.min_p = read_float(reader, "min_p", {0.0, 1.0}, sampling.min_p);
  given.repetition_penalty =
      read_float(reader, "repetition_penalty", {0.0, 10.0, true}, sampling.repetition_penalty);
  // -1 means off to clients of other servers, 0 to the engine.
  const std::optional<std::int64_t> top_k = reader.integer("top_k", -1, kMaxInt32);
  given.top_k = top_k.has_value();
  sampling.top_k = static_cast<std::int32_t>(std::max<std::int64_t>(top_k.value_or(0), 0));
  if (const auto seed = reader.integer("seed", std::numeric_limits<std::int64_t>::min(),
                                       std::numeric_limits<std::int64_t>::max())) {
    sampling.seed = static_cast<std::uint64_t>(*seed);
  }
  read_logit_bias(reader, sampling);
  fields.choices = static_cast<std::int32_t>(reader.integer("n", 1, kMaxChoices).value_or(1));
  fields.ignore_eos = reader.boolean("ignore_eos").value_or(false);
  fields.min_tokens =
      static_cast<std::int32_t>(reader.integer("min_tokens", 0, kMaxInt32).value_or(0));
  read_stop(reader, fields.stop);
  read_stream(reader, fields);
  read_user(reader, fields.tenant);
  fields.priority =
      static_cast<std::int32_t>(-reader.integer("priority", -kMaxInt32, kMaxInt32).value_or(0));
  fields.timeout_s = reader.number("timeout_s", {0.0, kMaxTimeoutS, true});
  return fields;
}

}  // namespace hangar
