#include "formats/hf/folder_tokenizer.h"

#include <filesystem>
#include <optional>

#include "base/json.h"
#include "base/mapped_file.h"
#include "formats/hf/fields.h"
#include "formats/hf/strict_json.h"
#include "formats/hf/tokenizer_json.h"

namespace hangar::hf {
namespace {

constexpr std::size_t kMaxTokenizerBytes = 256U << 20U;

// Qwen2's expression, as its tokenizer.json has it.
constexpr std::string_view kQwen2Expression =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

boost::json::object byte_level(bool prefix_space, bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", prefix_space},
          {"trim_offsets", false},
          {"use_regex", use_regex}};
}

// Lines of "left right"; a first line "#version: ..." is a comment.
boost::json::array read_merges(std::string_view text) {
  boost::json::array merges;
  bool first = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty() && !(first && line.starts_with("#version"))) {
      merges.push_back(boost::json::string(line));
    }
    first = false;
  }
  return merges;
}

// tokenizer_config.json's added_tokens_decoder: "151643": {content, lstrip, ...}.
Result<boost::json::array> read_added(const Fields& config) {
  boost::json::array added;
  HANGAR_TRY(const std::optional<Fields> tokens, config.fields("added_tokens_decoder"));
  if (!tokens) return added;
  for (const auto& member : tokens->object()) {
    const std::string_view key = member.key();
    std::int64_t id = 0;
    for (const char c : key) {
      if (c < '0' || c > '9' || id > INT32_MAX) return tokens->wrong(key, "an id as the key");
      id = id * 10 + (c - '0');
    }
    HANGAR_TRY(const std::optional<Fields> token, tokens->fields(key));
    if (!token || key.empty()) return tokens->wrong(key, "an object");
    boost::json::object entry = token->object();
    entry["id"] = id;
    added.push_back(std::move(entry));
  }
  return added;
}

// A file of many megabytes, which is not copied.
Result<std::optional<MappedFile>> map_optional(const FolderFiles& folder, std::string_view name) {
  if (!folder.has(name)) return std::nullopt;
  HANGAR_TRY(const std::filesystem::path path, folder.find(name));
  HANGAR_TRY(MappedFile file, MappedFile::open(path));
  if (file.bytes().size() > kMaxTokenizerBytes) {
    return make_error(ErrorCode::kCorrupt, "{}: {} bytes, more than the limit of {}", path.string(),
                      file.bytes().size(), kMaxTokenizerBytes);
  }
  return file;
}

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

tl::unexpected<Error> no_tokenizer(const FolderFiles& folder) {
  constexpr std::string_view kWayOut =
      "; make a tokenizer.json of it: in Python, AutoTokenizer.from_pretrained(FOLDER)."
      "save_pretrained(FOLDER) with transformers";
  for (const std::string_view name : {"tokenizer.model", "spiece.model", "tekken.json", "vocab.txt",
                                      "vocab.json", "tokenizer.tiktoken"}) {
    if (folder.has(name)) {
      return make_error(ErrorCode::kUnsupported, "{}: the tokenizer is there only as {}{}",
                        folder.path().string(), name, kWayOut);
    }
  }
  return make_error(ErrorCode::kNotFound, "{}: has no tokenizer (tokenizer.json expected)",
                    folder.path().string());
}

}  // namespace

Result<std::string> tokenizer_json_of(std::string_view vocab_json, std::string_view merges_txt,
                                      std::string_view tokenizer_config_json,
                                      std::string_view folder) {
  const std::string config_name = fmt::format("{}/tokenizer_config.json", folder);
  HANGAR_TRY(
      const boost::json::object config_object,
      parse_object(tokenizer_config_json.empty() ? "{}" : tokenizer_config_json, config_name));
  const Fields config(config_object, config_name);
  HANGAR_TRY(const std::optional<std::string_view> name, config.text("tokenizer_class"));
  const bool qwen2 = name == "Qwen2Tokenizer" || name == "Qwen2TokenizerFast";
  const bool gpt2 = name == "GPT2Tokenizer" || name == "GPT2TokenizerFast";
  if (!qwen2 && !gpt2) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: vocab.json and merges.txt of the class '{}' are not supported, only of "
                      "GPT2Tokenizer and Qwen2Tokenizer; make a tokenizer.json: in Python, "
                      "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) with "
                      "transformers",
                      folder, name.value_or("(none)"));
  }
  HANGAR_TRY(boost::json::object vocabulary,
             parse_object(vocab_json, fmt::format("{}/vocab.json", folder)));
  HANGAR_TRY(boost::json::array added, read_added(config));
  HANGAR_TRY(const bool prefix_space, config.boolean_or("add_prefix_space", false));

  boost::json::object out;
  out["version"] = "1.0";
  out["truncation"] = nullptr;
  out["padding"] = nullptr;
  out["added_tokens"] = std::move(added);
  out["normalizer"] = nullptr;
  if (qwen2) {
    out["normalizer"] = {{"type", "NFC"}};
    boost::json::object split{{"type", "Split"},
                              {"pattern", {{"Regex", kQwen2Expression}}},
                              {"behavior", "Isolated"},
                              {"invert", false}};
    out["pre_tokenizer"] = boost::json::object{
        {"type", "Sequence"},
        {"pretokenizers", boost::json::array{std::move(split), byte_level(prefix_space, false)}}};
  } else {
    out["pre_tokenizer"] = byte_level(prefix_space, true);
  }
  out["post_processor"] = byte_level(true, true);
  out["decoder"] = byte_level(true, true);
  out["model"] = boost::json::object{{"type", "BPE"},
                                     {"dropout", nullptr},
                                     {"unk_token", nullptr},
                                     {"continuing_subword_prefix", ""},
                                     {"end_of_word_suffix", ""},
                                     {"fuse_unk", false},
                                     {"byte_fallback", false},
                                     {"ignore_merges", false},
                                     {"vocab", std::move(vocabulary)},
                                     {"merges", read_merges(merges_txt)}};
  return write_json(out);
}

bool has_tokenizer(const FolderFiles& folder) {
  for (const std::string_view name : {"tokenizer.json", "vocab.json", "tokenizer.model"}) {
    if (folder.has(name)) return true;
  }
  return false;
}

Result<TokenizerSpec> read_folder_tokenizer(const FolderFiles& folder) {
  const auto read = [&](std::string_view name) {
    return folder.read_optional(name, kMaxTokenizerBytes);
  };
  HANGAR_TRY(const std::optional<MappedFile> file, map_optional(folder, "tokenizer.json"));
  HANGAR_TRY(const std::optional<std::string> config, read("tokenizer_config.json"));
  HANGAR_TRY(const std::optional<std::string> special, read("special_tokens_map.json"));
  std::string made;  // of older files
  if (!file) {
    HANGAR_TRY(const std::optional<std::string> vocabulary, read("vocab.json"));
    HANGAR_TRY(const std::optional<std::string> merges, read("merges.txt"));
    if (!vocabulary || !merges) return no_tokenizer(folder);
    HANGAR_TRY(
        made, tokenizer_json_of(*vocabulary, *merges, config.value_or(""), folder.path().string()));
  }
  Result<TokenizerSpec> spec =
      read_tokenizer_json({file ? text_of(*file) : made, config ? std::string_view(*config) : "",
                           special ? std::string_view(*special) : ""});
  if (!spec) return with_context(std::move(spec.error()), folder.path().string());
  return spec;
}

}  // namespace hangar::hf
