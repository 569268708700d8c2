#include "formats/hf/generation_config.h"

#include <algorithm>
#include <optional>

namespace hangar::hf {
namespace {

Status read_number(const Fields& fields, std::string_view key, double low, double high,
                   std::optional<float>& into) {
  HANGAR_TRY(const std::optional<double> value, fields.number(key, low, high));
  if (value) into = static_cast<float>(*value);
  return {};
}

}  // namespace

Result<std::vector<TokenId>> read_end_ids(const Fields& fields, std::int32_t vocabulary) {
  constexpr std::string_view kKey = "eos_token_id";
  constexpr std::int64_t kMost = INT32_MAX;
  std::vector<std::int64_t> ids;
  const boost::json::value* value = fields.find(kKey);
  if (value != nullptr && value->is_array()) {
    HANGAR_TRY(std::optional<std::vector<std::int64_t>> listed, fields.integers(kKey, 0, kMost));
    if (listed) ids.swap(*listed);
  } else {
    HANGAR_TRY(const std::optional<std::int64_t> one, fields.integer(kKey, -1, kMost));
    if (one && *one >= 0) ids.push_back(*one);  // -1: old files' "none"
  }
  std::vector<TokenId> out;
  for (const std::int64_t id : ids) {
    const auto token = static_cast<TokenId>(id);
    if (id < vocabulary && std::find(out.begin(), out.end(), token) == out.end()) {
      out.push_back(token);
    }
  }
  return out;
}

Result<GenerationDefaults> read_generation_config(const Fields& fields, std::int32_t vocabulary) {
  GenerationDefaults defaults;
  HANGAR_TRY(defaults.sample, fields.boolean("do_sample"));
  HANGAR_CHECK_OK(read_number(fields, "temperature", 0.0, 100.0, defaults.temperature));
  HANGAR_CHECK_OK(read_number(fields, "top_p", 0.0, 1.0, defaults.top_p));
  HANGAR_CHECK_OK(read_number(fields, "min_p", 0.0, 1.0, defaults.min_p));
  HANGAR_CHECK_OK(
      read_number(fields, "repetition_penalty", 1e-3, 1e3, defaults.repetition_penalty));
  HANGAR_TRY(const std::optional<std::int64_t> top_k, fields.integer("top_k", 0, INT32_MAX));
  if (top_k) defaults.top_k = static_cast<std::int32_t>(*top_k);
  HANGAR_TRY(defaults.end_of_generation, read_end_ids(fields, vocabulary));
  return defaults;
}

}  // namespace hangar::hf
