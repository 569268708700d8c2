#include "formats/hf/tokenizer_settings.h"

#include <algorithm>
#include <charconv>

#include "formats/hf/json_scanner.h"
#include "formats/hf/strict_json.h"
#include "formats/hf/tokenizer_model.h"

namespace hangar::hf {
namespace {

constexpr std::string_view kConfig = "tokenizer_config.json";
constexpr std::string_view kMap = "special_tokens_map.json";

// "</s>", {"content": "</s>", ...} or null.
Status read_token(const boost::json::object& file, std::string_view file_name,
                  std::string_view name, std::optional<std::string>& token) {
  const boost::json::value* value = file.if_contains(name);
  if (token || value == nullptr || value->is_null()) return {};
  if (const boost::json::object* object = value->if_object()) {
    if (const boost::json::value* content = object->if_contains("content")) value = content;
  }
  if (!value->is_string()) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: '{}': {} found, a token, an object with its content or null expected",
                      file_name, name, brief(*value));
  }
  if (!value->get_string().empty()) token = std::string(std::string_view(value->get_string()));
  return {};
}

Status read_tokens(const boost::json::object& file, std::string_view file_name,
                   TokenizerSettings& settings) {
  HANGAR_CHECK_OK(read_token(file, file_name, "bos_token", settings.bos));
  HANGAR_CHECK_OK(read_token(file, file_name, "eos_token", settings.eos));
  return read_token(file, file_name, "pad_token", settings.padding);
}

Status read_flag(const boost::json::object& file, std::string_view name,
                 std::optional<bool>& flag) {
  const boost::json::value* value = file.if_contains(name);
  if (value == nullptr || value->is_null()) return {};
  if (!value->is_bool()) {
    return make_error(ErrorCode::kCorrupt, "{}: '{}': {} found, true, false or null expected",
                      kConfig, name, brief(*value));
  }
  flag = value->get_bool();
  return {};
}

bool read_decoder_entry(JsonScanner& scanner, std::string_view key, AddedToken& token) {
  const auto [stop, error] = std::from_chars(key.data(), key.data() + key.size(), token.id);
  if (error != std::errc() || stop != key.data() + key.size() || token.id < 0) {
    return scanner.fail(fmt::format("'added_tokens_decoder': '{}' is no id", key.substr(0, 100)));
  }
  return read_added_token(scanner, token, /*with_id=*/false);
}

// {"added_tokens_decoder": {"0": {"content": "<s>", ...}, ...}}: thousands in some files, so
// without a tree.
Status read_added(std::string_view json, std::vector<AddedToken>& added) {
  JsonScanner scanner(json, kConfig);
  scanner.enter_object();
  for (std::string_view key; scanner.next_key(key);) {
    if (key != "added_tokens_decoder" || scanner.peek() != JsonScanner::Kind::kObject) {
      std::string_view skipped;
      scanner.skip_value(skipped);
      continue;
    }
    scanner.enter_object();
    while (scanner.next_key(key)) {
      if (!read_decoder_entry(scanner, key, added.emplace_back())) break;
    }
  }
  scanner.finish();
  std::sort(added.begin(), added.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  return scanner.status();
}

}  // namespace

Result<TokenizerSettings> read_tokenizer_settings(std::string_view config_json,
                                                  std::string_view special_tokens_map_json) {
  TokenizerSettings settings;
  if (!config_json.empty()) {
    HANGAR_TRY(const boost::json::object config, parse_object(config_json, kConfig));
    HANGAR_CHECK_OK(read_tokens(config, kConfig, settings));
    HANGAR_CHECK_OK(read_flag(config, "add_bos_token", settings.add_bos));
    HANGAR_CHECK_OK(read_flag(config, "add_eos_token", settings.add_eos));
    HANGAR_CHECK_OK(read_added(config_json, settings.added));
  }
  if (!special_tokens_map_json.empty()) {
    HANGAR_TRY(const boost::json::object map, parse_object(special_tokens_map_json, kMap));
    HANGAR_CHECK_OK(read_tokens(map, kMap, settings));
  }
  return settings;
}

}  // namespace hangar::hf
