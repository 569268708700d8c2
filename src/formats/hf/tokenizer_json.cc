#include "formats/hf/tokenizer_json.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "formats/hf/added_tokens.h"
#include "formats/hf/json_scanner.h"
#include "formats/hf/post_processor.h"
#include "formats/hf/strict_json.h"
#include "formats/hf/tokenizer_model.h"
#include "formats/hf/tokenizer_settings.h"
#include "formats/hf/tokenizer_stages.h"
#include "text/post_processor.h"
#include "text/token_index.h"

namespace hangar::hf {
namespace {

constexpr std::string_view kFile = "tokenizer.json";

// The parts of the file as they were found; stages are still JSON.
struct Parts {
  TokenizerSpec spec;
  ModelExtras extras;
  bool has_model = false;
  std::string_view normalizer, pre_tokenizer, post_processor, decoder;
};

Status read_part(JsonScanner& scanner, std::string_view key, Parts& parts) {
  std::string_view ignored;
  if (key == "model") {
    parts.has_model = true;
    return read_model(scanner, parts.spec, parts.extras);
  }
  if (key == "added_tokens") return read_added_tokens(scanner, parts.spec.added);
  if (key == "version") {
    std::string_view version;
    if (scanner.read_string(version) && version != "1.0") {
      return make_error(ErrorCode::kUnsupported,
                        "{}: 'version': \"{}\" is not supported; supported: \"1.0\"", kFile,
                        version.substr(0, 100));
    }
    return scanner.status();
  }
  if (key == "normalizer") {
    scanner.skip_value(parts.normalizer);
  } else if (key == "pre_tokenizer") {
    scanner.skip_value(parts.pre_tokenizer);
  } else if (key == "post_processor") {
    scanner.skip_value(parts.post_processor);
  } else if (key == "decoder") {
    scanner.skip_value(parts.decoder);
  } else if (key == "truncation" || key == "padding") {
    scanner.skip_value(ignored);
  } else {
    return make_error(ErrorCode::kUnsupported, "{}: the field '{}' is not known", kFile,
                      key.substr(0, 100));
  }
  return scanner.status();
}

Result<Parts> read_parts(std::string_view json) {
  Parts parts;
  JsonScanner scanner(json, kFile);
  scanner.enter_object();
  std::vector<std::string> keys;
  for (std::string_view found; scanner.next_key(found);) {
    if (std::find(keys.begin(), keys.end(), found) != keys.end()) {
      scanner.fail(fmt::format("the key '{}' is there twice", found.substr(0, 100)));
      break;
    }
    const std::string& key = keys.emplace_back(found);
    HANGAR_CHECK_OK(read_part(scanner, key, parts));
  }
  if (scanner.ok() && !parts.has_model) scanner.fail("'model' is missing");
  scanner.finish();
  HANGAR_CHECK_OK(scanner.status());
  return parts;
}

// A stage alone is no JSON object if it is null or missing.
Result<boost::json::value> stage_value(std::string_view json, std::string_view name) {
  if (json.empty() || json == "null") return boost::json::value(nullptr);
  HANGAR_TRY(boost::json::object object, parse_object(json, fmt::format("{}: '{}'", kFile, name)));
  return boost::json::value(std::move(object));
}

Status read_stages(const Parts& parts, TokenizerSpec& spec) {
  HANGAR_TRY(const boost::json::value normalizer, stage_value(parts.normalizer, "normalizer"));
  HANGAR_TRY(spec.normalizers, read_normalizers(normalizer));
  HANGAR_TRY(const boost::json::value pre, stage_value(parts.pre_tokenizer, "pre_tokenizer"));
  HANGAR_TRY(spec.pre_tokenizers, read_pre_tokenizers(pre));
  HANGAR_TRY(const boost::json::value decoder, stage_value(parts.decoder, "decoder"));
  HANGAR_TRY(spec.decoders, read_decoders(decoder));
  return {};
}

Status check_ids(const std::vector<TemplatePiece>& pieces, std::size_t tokens) {
  for (const TemplatePiece& piece : pieces) {
    if (piece.kind != TemplatePiece::Kind::kToken) continue;
    if (static_cast<std::size_t>(piece.token) < tokens) continue;
    return make_error(ErrorCode::kCorrupt,
                      "{}: 'post_processor': id {} found, less than the {} tokens expected", kFile,
                      piece.token, tokens);
  }
  return {};
}

Status read_surroundings(const Parts& parts, const TokenizerSettings& settings,
                         TokenizerSpec& spec) {
  HANGAR_TRY(const boost::json::value stage, stage_value(parts.post_processor, "post_processor"));
  HANGAR_TRY(PostProcessor surroundings, read_post_processor(stage));
  spec.single = std::move(surroundings.single);
  spec.pair = std::move(surroundings.pair);
  // transformers puts its own in place of the file's where the settings name either flag.
  if (settings.add_bos || settings.add_eos) {
    wrap_in_bos_eos(settings.add_bos.value_or(false) && spec.bos,
                    settings.add_eos.value_or(false) && spec.eos, spec);
  }
  HANGAR_CHECK_OK(check_ids(spec.single, spec.tokens.size()));
  return check_ids(spec.pair, spec.tokens.size());
}

// The unknown token is the model's own: what the settings call so does not change ids.
Status find_unknown(const Parts& parts, const TokenFinderByText& find, TokenizerSpec& spec) {
  if (parts.extras.unknown_text) {
    spec.unknown = find(*parts.extras.unknown_text);
    if (spec.unknown) return {};
    return make_error(ErrorCode::kCorrupt,
                      "{}: 'model.unk_token': '{}' is not a token of the vocabulary", kFile,
                      parts.extras.unknown_text->substr(0, 100));
  }
  if (!parts.extras.unknown_id) return {};
  if (static_cast<std::size_t>(*parts.extras.unknown_id) >= spec.tokens.size()) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: 'model.unk_id': {} found, less than the {} tokens expected", kFile,
                      *parts.extras.unknown_id, spec.tokens.size());
  }
  spec.unknown = parts.extras.unknown_id;
  return {};
}

Status find_named(const std::optional<std::string>& text, std::string_view name,
                  const TokenFinderByText& find, std::optional<TokenId>& id) {
  if (!text) return {};
  id = find(*text);
  if (id || name == "pad_token") return {};  // padding is not used for generation
  return make_error(ErrorCode::kCorrupt,
                    "tokenizer_config.json: '{}': '{}' is not a token of the vocabulary", name,
                    text->substr(0, 100));
}

bool is_byte_token(std::string_view text) {
  return text.size() == 6 && text.starts_with("<0x") && text.ends_with('>');
}

void set_kinds(TokenizerSpec& spec) {
  spec.kinds.assign(spec.tokens.size(), TokenKind::kNormal);
  if (spec.byte_fallback) {
    for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
      if (is_byte_token(spec.tokens[id])) spec.kinds[id] = TokenKind::kByte;
    }
  }
  for (const AddedToken& token : spec.added) {
    TokenKind kind = token.special ? TokenKind::kControl : TokenKind::kUserDefined;
    if (token.special && spec.unknown == token.id) kind = TokenKind::kUnknown;
    spec.kinds[static_cast<std::size_t>(token.id)] = kind;
  }
}

}  // namespace

Result<TokenizerSpec> read_tokenizer_json(const TokenizerFiles& files) {
  const std::size_t bytes = files.tokenizer_json.size() + files.tokenizer_config_json.size() +
                            files.special_tokens_map_json.size();
  if (bytes >= TextList::kMaxBytes) {
    return make_error(ErrorCode::kUnsupported, "{}: {} bytes found, less than {} are supported",
                      kFile, bytes, TextList::kMaxBytes);
  }
  HANGAR_TRY(Parts parts, read_parts(files.tokenizer_json));
  HANGAR_TRY(const TokenizerSettings settings,
             read_tokenizer_settings(files.tokenizer_config_json, files.special_tokens_map_json));
  TokenizerSpec spec = std::move(parts.spec);
  const TokenIndex index(spec.tokens);
  if (const auto twice = index.twice()) {
    return make_error(ErrorCode::kCorrupt, "{}: token '{}' is there twice, as {} and as {}", kFile,
                      spec.tokens[static_cast<std::size_t>(twice->first)].substr(0, 100),
                      twice->first, twice->second);
  }
  HANGAR_TRY(const AddedByText added,
             place_added_tokens(index, parts.extras.token_count, settings.added, spec));
  const TokenFinderByText find = [&](std::string_view text) -> std::optional<TokenId> {
    if (const auto found = added.find(text); found != added.end()) return found->second;
    const TokenId id = index.find(text);
    return id == TokenIndex::kNone ? std::nullopt : std::optional(id);
  };
  HANGAR_CHECK_OK(find_unknown(parts, find, spec));
  HANGAR_CHECK_OK(find_named(settings.bos, "bos_token", find, spec.bos));
  HANGAR_CHECK_OK(find_named(settings.eos, "eos_token", find, spec.eos));
  HANGAR_CHECK_OK(find_named(settings.padding, "pad_token", find, spec.padding));
  HANGAR_CHECK_OK(read_stages(parts, spec));
  HANGAR_CHECK_OK(read_surroundings(parts, settings, spec));
  set_kinds(spec);
  return spec;
}

}  // namespace hangar::hf
