#include "text/bpe_merge_list.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "text/shown.h"

namespace hangar {
namespace {

bool begins_character(char byte) {
  return (static_cast<std::uint8_t>(byte) & 0xC0U) != 0x80U;
}

// A merge on its way into the table. Most of the time goes into waiting for memory, so they go in
// groups, each step for the whole group, and what the next step needs is asked for.
struct Listed {
  std::string_view text;
  std::size_t left_bytes = 0;
  TokenIndex::Key left_key = 0, right_key = 0;
  TokenId left = 0, right = 0;

  std::string_view left_text() const { return text.substr(0, left_bytes); }
  std::string_view right_text() const { return text.substr(left_bytes); }
};
constexpr std::size_t kGroup = 32;

// The tokens that merges make. Vocabularies mostly list them in the order of their merges, so that
// the one looked for is the one found last or the next.
class JoinedTokens {
 public:
  JoinedTokens(const TokenizerSpec& spec, const TokenIndex& index)
      : index_(index),
        prefix_(spec.subword_prefix),
        final_(static_cast<TokenId>(index.size()) - 1) {}

  TokenId find(const Listed& listed, const char* end) {
    std::string_view text = listed.text;
    if (!prefix_.empty()) {
      text = joined_.assign(listed.left_text()).append(listed.right_text().substr(prefix_.size()));
      end = text.data() + text.size();
    }
    const TokenIndex::Key key = TokenIndex::key_of(text, end);
    const TokenId guess = last_ + (key != index_.key(last_) && last_ != final_ ? 1 : 0);
    const TokenId id = index_.is(guess, text, key) ? guess : index_.find(text, key);
    if (id >= 0) last_ = id;
    return id;
  }

 private:
  const TokenIndex& index_;
  std::string_view prefix_;
  std::string joined_;
  TokenId last_ = 0;
  TokenId final_;  // of the vocabulary
};

tl::unexpected<Error> no_token(std::size_t rank, const Listed& listed) {
  return make_error(ErrorCode::kCorrupt,
                    "tokenizer: merge {}, \"{}\" with \"{}\": \"{}\" is no token of the vocabulary",
                    rank, shown(listed.left_text()), shown(listed.right_text()),
                    shown(listed.left < 0    ? listed.left_text()
                          : listed.right < 0 ? listed.right_text()
                                             : listed.text));
}

tl::unexpected<Error> too_many(std::string_view what, std::size_t found, std::size_t most) {
  return make_error(ErrorCode::kUnsupported, "tokenizer: {} {} found, at most {} are supported",
                    found, what, most);
}

Result<BpeMerges> listed_merges(const TokenizerSpec& spec, const TokenIndex& index) {
  if (spec.merges.size() > BpeMerges::kMaxMerges) {
    return too_many("merges", spec.merges.size(), BpeMerges::kMaxMerges);
  }
  BpeMerges merges;
  merges.reserve(spec.merges.size());
  JoinedTokens joined_tokens(spec, index);
  const std::size_t prefix_bytes = spec.subword_prefix.size();
  const char* const end = spec.merges.bytes_end();
  std::array<Listed, kGroup> group;
  for (std::size_t begin = 0; begin < spec.merges.size(); begin += kGroup) {
    const std::size_t count = std::min(kGroup, spec.merges.size() - begin);
    for (std::size_t i = 0; i < count; ++i) {
      const auto [text, left_bytes] = spec.merges[begin + i];
      if (left_bytes == 0 || left_bytes >= text.size() || text.size() - left_bytes < prefix_bytes) {
        return make_error(ErrorCode::kCorrupt, "tokenizer: merge {}, \"{}\", is not a pair",
                          begin + i, shown(text));
      }
      Listed& listed = group[i];
      listed.text = text;
      listed.left_bytes = left_bytes;
      listed.left_key = TokenIndex::key_of(listed.left_text(), end);
      listed.right_key = TokenIndex::key_of(listed.right_text(), end);
      index.prefetch(listed.left_key);
      index.prefetch(listed.right_key);
    }
    for (std::size_t i = 0; i < count; ++i) {
      index.prefetch_found(group[i].left_key);
      index.prefetch_found(group[i].right_key);
    }
    for (std::size_t i = 0; i < count; ++i) {
      Listed& listed = group[i];
      listed.left = index.find(listed.left_text(), listed.left_key);
      listed.right = index.find(listed.right_text(), listed.right_key);
      if (listed.left < 0 || listed.right < 0) return no_token(begin + i, listed);
      merges.prefetch(listed.left, listed.right);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const Listed& listed = group[i];
      const TokenId joined = joined_tokens.find(listed, end);
      if (joined < 0) return no_token(begin + i, listed);
      merges.add(listed.left, listed.right, joined);
    }
  }
  return merges;
}

struct Split {
  TokenId left = 0;
  TokenId right = 0;
  TokenId joined = 0;
  std::uint32_t left_characters = 0;
  std::uint32_t right_characters = 0;
};

// Finds the splits of tokens; working memory is kept from one token to the next.
class Splitter {
 public:
  Splitter(const TokenizerSpec& spec, const TokenIndex& index) : spec_(spec), index_(index) {}

  void append(TokenId id, std::vector<Split>& splits) {
    const std::string_view text = spec_.tokens[static_cast<std::size_t>(id)];
    places_.clear();
    starts_.assign(1, 0);
    std::uint32_t characters = 0;
    for (const char byte : text) {
      if (begins_character(byte)) {
        if (starts_.size() > 1) {
          places_.push_back({.at = starts_.size() - 1, .left_characters = characters});
        }
        ++characters;
      }
      starts_.push_back(TokenIndex::extended(starts_.back(), byte));
    }
    while (powers_.size() <= text.size()) powers_.push_back(powers_.back() * TokenIndex::kBase);
    // In steps, each for all places, for the memory that the next step needs.
    for (Place& place : places_) {
      place.left_key = key_of(text, 0, place.at);
      place.right_key = key_of(text, place.at, text.size());
      index_.prefetch(place.left_key);
      index_.prefetch(place.right_key);
    }
    std::erase_if(places_, [&](const Place& place) {
      return !index_.may_hold(place.left_key) || !index_.may_hold(place.right_key);
    });
    for (const Place& place : places_) {
      const TokenId left = index_.find(text.substr(0, place.at), place.left_key);
      const TokenId right = index_.find(text.substr(place.at), place.right_key);
      if (left < 0 || right < 0) continue;
      splits.push_back({.left = left,
                        .right = right,
                        .joined = id,
                        .left_characters = place.left_characters,
                        .right_characters = characters - place.left_characters});
    }
  }

 private:
  // Where a token may be split.
  struct Place {
    std::size_t at = 0;
    std::uint32_t left_characters = 0;
    TokenIndex::Key left_key = 0;
    TokenIndex::Key right_key = 0;
  };

  // Of the bytes from `begin` to `end` of the text whose starts are known.
  TokenIndex::Key key_of(std::string_view text, std::size_t begin, std::size_t end) const {
    constexpr std::size_t kEnd = TokenIndex::kEndBytes;
    const std::size_t bytes = end - begin;
    const TokenIndex::Hash between =
        bytes > 2 * kEnd ? starts_[end - kEnd] - starts_[begin + kEnd] * powers_[bytes - 2 * kEnd]
                         : 0;
    return TokenIndex::key_of(text.substr(begin, bytes), between);
  }

  const TokenizerSpec& spec_;
  const TokenIndex& index_;
  std::vector<Place> places_;
  std::vector<TokenIndex::Hash> starts_;        // by length: of the token's first bytes
  std::vector<TokenIndex::Hash> powers_ = {1};  // of TokenIndex::kBase
};

Result<BpeMerges> implied_merges(const TokenizerSpec& spec, const TokenIndex& index) {
  const std::vector<double>& scores = spec.scores;
  if (scores.size() > spec.tokens.size()) {
    return make_error(ErrorCode::kCorrupt, "tokenizer: {} scores for {} tokens", scores.size(),
                      spec.tokens.size());
  }
  const auto score_of = [&](TokenId id) { return scores[static_cast<std::size_t>(id)]; };
  std::vector<TokenId> best_first(scores.size());
  std::iota(best_first.begin(), best_first.end(), 0);
  for (const TokenId id : best_first) {
    if (std::isnan(score_of(id))) {
      return make_error(ErrorCode::kCorrupt, "tokenizer: the score of token {} is not a number",
                        id);
    }
  }
  const auto better = [&](TokenId a, TokenId b) {
    return score_of(a) != score_of(b) ? score_of(a) > score_of(b) : a < b;
  };
  if (!std::is_sorted(best_first.begin(), best_first.end(), better)) {
    std::sort(best_first.begin(), best_first.end(), better);
  }

  Splitter splitter(spec, index);
  BpeMerges merges;
  merges.reserve(2 * scores.size());
  std::vector<Split> splits;  // of the tokens of one score
  for (std::size_t begin = 0; begin < best_first.size();) {
    const double score = score_of(best_first[begin]);
    splits.clear();
    for (; begin < best_first.size() && score_of(best_first[begin]) == score; ++begin) {
      const TokenId id = best_first[begin];
      const std::string_view text = spec.tokens[static_cast<std::size_t>(id)];
      if (!text.empty() && index.find(text) == id) splitter.append(id, splits);
    }
    std::sort(splits.begin(), splits.end(), [](const Split& a, const Split& b) {
      if (a.left_characters != b.left_characters) return a.left_characters > b.left_characters;
      if (a.right_characters != b.right_characters) return a.right_characters > b.right_characters;
      return a.joined < b.joined;
    });
    if (splits.size() > BpeMerges::kMaxMerges - merges.size()) {
      return too_many("merges", merges.size() + splits.size(), BpeMerges::kMaxMerges);
    }
    for (const Split& split : splits) merges.add(split.left, split.right, split.joined);
  }
  return merges;
}

}  // namespace

Result<BpeMerges> bpe_merges_of(const TokenizerSpec& spec, const TokenIndex& index) {
  if (spec.tokens.size() > BpeMerges::kMaxTokens) {
    return too_many("tokens", spec.tokens.size(), BpeMerges::kMaxTokens);
  }
  if (spec.merges.empty() && !spec.scores.empty()) return implied_merges(spec, index);
  return listed_merges(spec, index);
}

}  // namespace hangar
