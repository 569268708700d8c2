#include "formats/hf/added_tokens.h"

#include <algorithm>
#include <utility>

namespace hangar::hf {
namespace {

class Placer {
 public:
  Placer(const TokenIndex& index, std::size_t token_count, TokenizerSpec& spec)
      : index_(index), next_(static_cast<std::int64_t>(token_count)), spec_(spec) {}

  // The id the token must have: that of its text in the vocabulary, or the next free one.
  Status place(const AddedToken& token, std::string_view file) {
    const TokenId found = index_.find(token.content);
    const bool known = found != TokenIndex::kNone;
    const std::int64_t expected = known ? found : next_;
    if (token.id != expected) {
      return make_error(ErrorCode::kCorrupt, "{}: added token '{}' has id {}, but {} is {}", file,
                        token.content.substr(0, 100), token.id,
                        known ? "its id in the vocabulary" : "the next one that is free", expected);
    }
    const auto at = static_cast<std::size_t>(token.id);
    if (at >= spec_.tokens.size()) {
      spec_.tokens.resize(at + 1);  // scores stay short: the token is not the model's
    } else if (!known && !spec_.tokens[at].empty()) {
      return make_error(ErrorCode::kCorrupt, "{}: added token '{}' has id {}, which is '{}'", file,
                        token.content.substr(0, 100), token.id, spec_.tokens[at].substr(0, 100));
    }
    if (!known) added_texts_.emplace_back(at, &token.content);
    next_ = std::max(next_, expected + 1);
    return {};
  }

  // Only now, for index_ looks at the tokens as they are.
  void write_texts() {
    for (const auto& [at, text] : added_texts_) spec_.tokens.set(at, *text);
  }

 private:
  const TokenIndex& index_;
  std::int64_t next_;
  TokenizerSpec& spec_;
  std::vector<std::pair<std::size_t, const std::string*>> added_texts_;
};

}  // namespace

Result<AddedByText> place_added_tokens(const TokenIndex& index, std::size_t token_count,
                                       const std::vector<AddedToken>& from_settings,
                                       TokenizerSpec& spec) {
  Placer placer(index, token_count, spec);
  std::unordered_map<std::string_view, TokenId> seen;
  for (const AddedToken& token : spec.added) {
    if (!seen.emplace(token.content, token.id).second) {
      return make_error(ErrorCode::kCorrupt, "tokenizer.json: added token '{}' is there twice",
                        token.content.substr(0, 100));
    }
    HANGAR_CHECK_OK(placer.place(token, "tokenizer.json"));
  }
  std::vector<const AddedToken*> extra;
  for (const AddedToken& token : from_settings) {
    const auto [at, is_new] = seen.emplace(token.content, token.id);
    if (!is_new && at->second == token.id) continue;  // the file's own flags hold
    if (!is_new) {
      return make_error(ErrorCode::kCorrupt,
                        "tokenizer_config.json: added token '{}' has id {}, but tokenizer.json "
                        "says {}",
                        token.content.substr(0, 100), token.id, at->second);
    }
    HANGAR_CHECK_OK(placer.place(token, "tokenizer_config.json"));
    extra.push_back(&token);
  }
  placer.write_texts();
  for (const AddedToken* token : extra) spec.added.push_back(*token);
  AddedByText by_text;
  by_text.reserve(spec.added.size());
  for (const AddedToken& token : spec.added) by_text.emplace(token.content, token.id);
  return by_text;
}

}  // namespace hangar::hf
