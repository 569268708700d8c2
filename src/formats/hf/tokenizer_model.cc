#include "formats/hf/tokenizer_model.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <utility>

namespace hangar::hf {
namespace {

using Kind = JsonScanner::Kind;

constexpr std::int64_t kMaxId = std::numeric_limits<TokenId>::max() - 1;

// Room for the texts of a list that takes the rest of the file. Untouched memory costs nothing;
// growing would copy what is there.
template <typename List>
void reserve(List& list, std::size_t remaining_bytes) {
  list.reserve(std::min<std::size_t>(remaining_bytes / 16, 1U << 20U),
               std::min<std::size_t>(remaining_bytes / 2, 1U << 24U));
}

// Puts tokens at their ids. An id far past what has been read so far waits until the end, when it
// is known how many there are: a short file cannot ask for much memory.
class VocabularyFiller {
 public:
  explicit VocabularyFiller(TextList& tokens) : tokens_(tokens) {}

  bool put(JsonScanner& scanner, std::string_view text, std::int64_t id) {
    if (id < 0 || id > kMaxId) {
      return scanner.fail(fmt::format("id {} found, 0 to {} expected", id, kMaxId));
    }
    ++count_;
    const auto index = static_cast<std::size_t>(id);
    if (index > limit()) {
      late_.emplace_back(index, text);
      return true;
    }
    return place(scanner, index, text);
  }

  bool finish(JsonScanner& scanner) {
    for (const auto& [index, text] : late_) {
      if (index > limit()) {
        return scanner.fail(fmt::format("id {} of token '{}' is far past the {} tokens", index,
                                        text.substr(0, 100), count_));
      }
      if (!place(scanner, index, text)) return false;
    }
    return true;
  }

  std::size_t count() const { return count_; }

 private:
  std::size_t limit() const { return 2 * count_ + 65536; }

  bool place(JsonScanner& scanner, std::size_t index, std::string_view text) {
    if (index >= taken_.size()) taken_.resize(std::max(index + 1, 2 * taken_.size()));
    if (taken_[index] != 0) {
      return scanner.fail(fmt::format("tokens '{}' and '{}' both have id {}",
                                      tokens_[index].substr(0, 100), text.substr(0, 100), index));
    }
    taken_[index] = 1;
    if (index == tokens_.size()) {  // ids mostly ascend
      tokens_.push_back(text, scanner.readable_end(text));
      return true;
    }
    if (index > tokens_.size()) tokens_.resize(index + 1);
    tokens_.set(index, text);
    return true;
  }

  TextList& tokens_;
  std::vector<std::uint8_t> taken_;
  std::vector<std::pair<std::size_t, std::string>> late_;
  std::size_t count_ = 0;
};

// {"a": 0, "b": 1}
bool read_vocabulary(JsonScanner& scanner, TokenizerSpec& spec, ModelExtras& extras) {
  if (!scanner.enter_object()) return false;
  reserve(spec.tokens, scanner.remaining_bytes());
  VocabularyFiller filler(spec.tokens);
  for (std::string_view text; scanner.next_key(text);) {
    std::int64_t id = 0;
    if (!scanner.read_integer(id) || !filler.put(scanner, text, id)) return false;
  }
  extras.token_count = filler.count();
  return scanner.ok() && filler.finish(scanner);
}

// [["<unk>", 0.0], ["▁the", -3.2]]
bool read_scored_vocabulary(JsonScanner& scanner, TokenizerSpec& spec, ModelExtras& extras) {
  if (!scanner.enter_array()) return false;
  while (scanner.next_element()) {
    std::string_view text;
    if (!scanner.enter_array() || !scanner.next_element() || !scanner.read_string(text)) {
      return scanner.fail("[token, score] expected");
    }
    spec.tokens.push_back(text);
    double score = 0;
    if (!scanner.next_element() || !scanner.read_number(score)) {
      return scanner.fail("[token, score] expected");
    }
    spec.scores.push_back(score);
    if (scanner.next_element()) return scanner.fail("[token, score] expected");
  }
  extras.token_count = spec.tokens.size();
  return scanner.ok();
}

// "a b"
bool read_spaced_merge(JsonScanner& scanner, MergeList& merges) {
  std::string_view text;
  if (!scanner.read_string(text)) return false;
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) {
    return scanner.fail(
        fmt::format("merge '{}' found, two tokens and one space expected", text.substr(0, 100)));
  }
  const char* const end = scanner.readable_end(text);
  merges.add(text.substr(0, space), end, text.substr(space + 1), end);
  return true;
}

// ["a b", "ab c"] or [["a", "b"], ["ab", "c"]]
bool read_merges(JsonScanner& scanner, TokenizerSpec& spec) {
  if (!scanner.enter_array()) return false;
  reserve(spec.merges, scanner.remaining_bytes());
  std::string_view left;
  std::string_view right;
  while (scanner.next_element()) {
    if (scanner.peek() != Kind::kArray) {
      if (!read_spaced_merge(scanner, spec.merges)) return false;
    } else {
      if (!scanner.read_string_pair(left, right)) return false;
      spec.merges.add(left, scanner.readable_end(left), right, scanner.readable_end(right));
    }
  }
  return scanner.ok();
}

bool read_optional_text(JsonScanner& scanner, std::optional<std::string>& text) {
  if (scanner.peek() == Kind::kNull) return scanner.read_null();
  std::string_view found;
  if (!scanner.read_string(found)) return false;
  text = found;
  return true;
}

bool read_text_or_null(JsonScanner& scanner, std::string& text) {
  std::optional<std::string> found;
  if (!read_optional_text(scanner, found)) return false;
  text = found.value_or("");
  return true;
}

bool read_flag_or_null(JsonScanner& scanner, bool& flag) {
  return scanner.peek() == Kind::kNull ? scanner.read_null() : scanner.read_bool(flag);
}

struct ModelFields {
  std::string type;
  bool has_merges = false, has_scores = false, has_vocabulary = false, has_word_limit = false;
  double dropout = 0;
  std::string unknown_field;
};

bool read_unknown_id(JsonScanner& scanner, ModelExtras& extras) {
  if (scanner.peek() == Kind::kNull) return scanner.read_null();
  std::int64_t id = 0;
  if (!scanner.read_integer(id)) return false;
  if (id < 0 || id > kMaxId) return scanner.fail("a token id expected");
  extras.unknown_id = static_cast<TokenId>(id);
  return true;
}

bool read_word_limit(JsonScanner& scanner, TokenizerSpec& spec) {
  std::int64_t limit = 0;
  if (!scanner.read_integer(limit)) return false;
  if (limit < 0) return scanner.fail("a number of characters expected");
  spec.max_word_characters = static_cast<std::int32_t>(std::min(limit, kMaxId));
  return true;
}

bool read_field(JsonScanner& scanner, std::string_view key, TokenizerSpec& spec,
                ModelExtras& extras, ModelFields& fields) {
  std::string_view skipped;
  if (key == "type") {
    std::string_view type;
    if (!scanner.read_string(type)) return false;
    fields.type = type;
    return true;
  }
  if (key == "vocab") {
    fields.has_vocabulary = true;
    fields.has_scores = scanner.peek() == Kind::kArray;
    return fields.has_scores ? read_scored_vocabulary(scanner, spec, extras)
                             : read_vocabulary(scanner, spec, extras);
  }
  if (key == "merges") {
    fields.has_merges = true;
    return read_merges(scanner, spec);
  }
  if (key == "unk_token") return read_optional_text(scanner, extras.unknown_text);
  if (key == "unk_id") return read_unknown_id(scanner, extras);
  if (key == "continuing_subword_prefix") return read_text_or_null(scanner, spec.subword_prefix);
  if (key == "end_of_word_suffix") return read_text_or_null(scanner, spec.word_suffix);
  if (key == "fuse_unk") return read_flag_or_null(scanner, spec.fuse_unknown);
  if (key == "byte_fallback") return read_flag_or_null(scanner, spec.byte_fallback);
  if (key == "ignore_merges") return read_flag_or_null(scanner, spec.ignore_merges);
  if (key == "max_input_chars_per_word") {
    fields.has_word_limit = true;
    return read_word_limit(scanner, spec);
  }
  if (key == "dropout") {
    return scanner.peek() == Kind::kNull ? scanner.read_null()
                                         : scanner.read_number(fields.dropout);
  }
  if (fields.unknown_field.empty()) fields.unknown_field = key;
  return scanner.skip_value(skipped);
}

// Old files do not name the model; what it has tells.
std::string type_by_fields(const ModelFields& fields) {
  if (fields.has_merges) return "BPE";
  if (fields.has_scores) return "Unigram";
  return fields.has_word_limit ? "WordPiece" : "WordLevel";
}

Status check_model(JsonScanner& scanner, TokenizerSpec& spec, const ModelFields& fields) {
  const auto unsupported = [](std::string_view field, const std::string& what) -> Status {
    return make_error(ErrorCode::kUnsupported, "tokenizer.json: 'model.{}': {}", field, what);
  };
  spec.model_name = fields.type.empty() ? type_by_fields(fields) : fields.type;
  if (spec.model_name == "BPE") {
    spec.model = TokenizerModel::kBpe;
  } else if (spec.model_name == "Unigram") {
    spec.model = TokenizerModel::kUnigram;
  } else if (spec.model_name == "WordPiece") {
    spec.model = TokenizerModel::kWordPiece;
  } else {
    return unsupported("type",
                       fmt::format("\"{}\" is not supported; supported: BPE, Unigram, WordPiece",
                                   spec.model_name.substr(0, 100)));
  }
  if (!fields.unknown_field.empty()) {
    return unsupported(fields.unknown_field.substr(0, 100), "this field is not known");
  }
  if (fields.dropout != 0) return unsupported("dropout", "random merges are for training");
  if (!fields.has_vocabulary) scanner.fail("'model.vocab' is missing");
  const bool unigram = spec.model == TokenizerModel::kUnigram;
  if (fields.has_vocabulary && fields.has_scores != unigram) {
    scanner.fail(unigram ? "'model.vocab' is an object, [[token, score], ...] expected"
                         : "'model.vocab' is a list, {token: id, ...} expected");
  }
  if (spec.model == TokenizerModel::kBpe && !fields.has_merges) {
    scanner.fail("'model.merges' is missing");
  }
  return scanner.status();
}

}  // namespace

Status read_model(JsonScanner& scanner, TokenizerSpec& spec, ModelExtras& extras) {
  ModelFields fields;
  if (!scanner.enter_object()) return scanner.status();
  std::vector<std::string> keys;
  for (std::string_view found; scanner.next_key(found);) {
    if (std::find(keys.begin(), keys.end(), found) != keys.end() || keys.size() == 64) {
      scanner.fail(keys.size() == 64 ? std::string("more than 64 fields")
                                     : fmt::format("the key '{}' is there twice", found));
      break;
    }
    const std::string& key = keys.emplace_back(found);
    if (!read_field(scanner, key, spec, extras, fields)) break;
  }
  HANGAR_CHECK_OK(scanner.status());
  return check_model(scanner, spec, fields);
}

bool read_added_token(JsonScanner& scanner, AddedToken& token, bool with_id) {
  struct Flag {
    std::string_view name;
    bool AddedToken::* field;
  };
  static constexpr std::array<Flag, 5> kFlags = {{{"special", &AddedToken::special},
                                                  {"lstrip", &AddedToken::lstrip},
                                                  {"rstrip", &AddedToken::rstrip},
                                                  {"single_word", &AddedToken::single_word},
                                                  {"normalized", &AddedToken::normalized}}};
  if (!scanner.enter_object()) return false;
  bool has_id = !with_id;
  std::vector<std::string> keys;
  for (std::string_view found; scanner.next_key(found);) {
    if (std::find(keys.begin(), keys.end(), found) != keys.end()) {
      return scanner.fail(fmt::format("the key '{}' is there twice", found));
    }
    const std::string& key = keys.emplace_back(found);
    const auto* flag =
        std::find_if(kFlags.begin(), kFlags.end(), [&](const Flag& f) { return f.name == key; });
    if (flag != kFlags.end()) {
      if (!scanner.read_bool(token.*(flag->field))) return false;
    } else if (key == "content") {
      std::string_view content;
      if (!scanner.read_string(content)) return false;
      token.content = content;
    } else if (key == "id" && with_id) {
      std::int64_t id = 0;
      if (!scanner.read_integer(id)) return false;
      if (id < 0 || id > kMaxId) {
        return scanner.fail(fmt::format("id {} found, 0 to {} expected", id, kMaxId));
      }
      token.id = static_cast<TokenId>(id);
      has_id = true;
    } else if (key == "__type") {  // tokenizer_config.json says "AddedToken"
      std::string_view ignored;
      if (!scanner.skip_value(ignored)) return false;
    } else {
      return scanner.fail(
          fmt::format("the field '{}' of an added token is not known", key.substr(0, 100)));
    }
  }
  if (!scanner.ok()) return false;
  if (token.content.empty()) return scanner.fail("an added token without content");
  return has_id || scanner.fail("an added token without id");
}

Status read_added_tokens(JsonScanner& scanner, std::vector<AddedToken>& added) {
  if (scanner.peek() == Kind::kNull) {
    scanner.read_null();
    return scanner.status();
  }
  if (!scanner.enter_array()) return scanner.status();
  while (scanner.next_element()) {
    if (!read_added_token(scanner, added.emplace_back(), /*with_id=*/true)) break;
  }
  return scanner.status();
}

}  // namespace hangar::hf
