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
  std::string_view left_text, right_text, joined_text;
  TokenIndex::Hash left_hash = 0, right_hash = 0;
  TokenId left = 0, right = 0;
};
constexpr std::size_t kGroup = 32;

Result<BpeMerges> listed_merges(const TokenizerSpec& spec, const TokenIndex& index) {
  BpeMerges merges;
  merges.reserve(spec.merges.size());
  const std::size_t prefix_bytes = spec.subword_prefix.size();
  std::array<Listed, kGroup> group;
  std::string without_prefix;
  std::size_t guess = 0;
  std::size_t next_guess = 0;
  for (std::size_t begin = 0; begin < spec.merges.size(); begin += kGroup) {
    const std::size_t count = std::min(kGroup, spec.merges.size() - begin);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string_view text = spec.merges[begin + i].text;
      const std::size_t left_bytes = spec.merges[begin + i].left_bytes;
      if (left_bytes == 0 || left_bytes >= text.size() || text.size() - left_bytes < prefix_bytes) {
        return make_error(ErrorCode::kCorrupt, "tokenizer: merge {}, \"{}\", is not a pair",
                          begin + i, shown(text));
      }
      Listed& listed = group[i];
      listed.left_text = text.substr(0, left_bytes);
      listed.right_text = text.substr(left_bytes);
      listed.joined_text = text;
      listed.left_hash = TokenIndex::hash_of(listed.left_text);
      listed.right_hash = TokenIndex::hash_of(listed.right_text);
      index.prefetch_slot(listed.left_hash);
      index.prefetch_slot(listed.right_hash);
    }
    for (std::size_t i = 0; i < count; ++i) {
      index.prefetch_text(group[i].left_hash);
      index.prefetch_text(group[i].right_hash);
    }
    for (std::size_t i = 0; i < count; ++i) {
      Listed& listed = group[i];
      listed.left = index.find(listed.left_text, listed.left_hash);
      listed.right = index.find(listed.right_text, listed.right_hash);
      merges.prefetch(listed.left, listed.right);
    }
    for (std::size_t i = 0; i < count; ++i) {
      Listed& listed = group[i];
      if (prefix_bytes > 0) {
        listed.joined_text =
            without_prefix.assign(listed.left_text).append(listed.right_text.substr(prefix_bytes));
      }
      // Vocabularies mostly list joined tokens in the order of their merges.
      while (guess < next_guess && spec.tokens[guess] != listed.joined_text) ++guess;
      const TokenId joined =
          guess < next_guess ? static_cast<TokenId>(guess) : index.find(listed.joined_text);
      if (listed.left < 0 || listed.right < 0 || joined < 0) {
        return make_error(ErrorCode::kCorrupt,
                          "tokenizer: merge {}, \"{}\" with \"{}\": \"{}\" is no token of the "
                          "vocabulary",
                          begin + i, shown(listed.left_text), shown(listed.right_text),
                          shown(listed.left < 0    ? listed.left_text
                                : listed.right < 0 ? listed.right_text
                                                   : listed.joined_text));
      }
      merges.add(listed.left, listed.right, joined);
      guess = static_cast<std::size_t>(joined);
      next_guess = std::min(guess + 3, spec.tokens.size());
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
      place.left_hash = starts_[place.at];
      place.right_hash = starts_.back() - starts_[place.at] * powers_[text.size() - place.at];
      index_.prefetch_slot(place.left_hash);
      index_.prefetch_slot(place.right_hash);
    }
    std::erase_if(places_, [&](const Place& place) {
      return !index_.may_hold(place.left_hash) || !index_.may_hold(place.right_hash);
    });
    for (const Place& place : places_) {
      index_.prefetch_text(place.left_hash);
      index_.prefetch_text(place.right_hash);
    }
    for (const Place& place : places_) {
      const TokenId left = index_.find(text.substr(0, place.at), place.left_hash);
      const TokenId right = index_.find(text.substr(place.at), place.right_hash);
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
    TokenIndex::Hash left_hash = 0;
    TokenIndex::Hash right_hash = 0;
  };

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
    for (const Split& split : splits) merges.add(split.left, split.right, split.joined);
  }
  return merges;
}

}  // namespace

Result<BpeMerges> bpe_merges_of(const TokenizerSpec& spec, const TokenIndex& index) {
  if (spec.merges.empty() && !spec.scores.empty()) return implied_merges(spec, index);
  return listed_merges(spec, index);
}

}  // namespace hangar
