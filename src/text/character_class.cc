#include "text/character_class.h"

#include <algorithm>

namespace hangar {
namespace {

template <typename Range>
const Range* range_of(std::span<const Range> ranges, char32_t character) {
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), character,
                       [](char32_t c, const Range& range) { return c < range.first; });
  if (after == ranges.begin()) return nullptr;
  const Range& range = *(after - 1);
  return character <= range.last ? &range : nullptr;
}

std::int32_t script_of(char32_t character) {
  const ScriptRange* range = range_of(script_ranges(), character);
  return range == nullptr ? 0 : range->script;
}

}  // namespace

CharacterClass::CharacterClass(std::span<const CodePointRange> ranges) : ranges_(ranges) {
  for (const CodePointRange& range : ranges) {
    for (char32_t c = range.first; c <= range.last && c < kBits; ++c) {
      bits_[c / 64] |= std::uint64_t{1} << (c % 64);
    }
  }
}

bool CharacterClass::contains_high(char32_t character) const {
  return range_of(ranges_, character) != nullptr;
}

const CharacterClass& CharacterClass::punctuation() {
  static const CharacterClass one(punctuation_ranges());
  return one;
}
const CharacterClass& CharacterClass::numeric() {
  static const CharacterClass one(numeric_ranges());
  return one;
}
const CharacterClass& CharacterClass::word() {
  static const CharacterClass one(word_ranges());
  return one;
}
const CharacterClass& CharacterClass::combining_mark() {
  static const CharacterClass one(combining_mark_ranges());
  return one;
}
const CharacterClass& CharacterClass::nonspacing_mark() {
  static const CharacterClass one(nonspacing_mark_ranges());
  return one;
}
const CharacterClass& CharacterClass::bert_removed() {
  static const CharacterClass one(bert_removed_ranges());
  return one;
}

std::int32_t joined_script_of(char32_t character) {
  // The list is of what stays together, so that kana and Han have one number already.
  return script_of(character);
}

char32_t lower_case(char32_t character) {
  if (character < 0x80) {
    return character >= 'A' && character <= 'Z' ? character + ('a' - 'A') : character;
  }
  const LowerRun* run = range_of(lower_runs(), character);
  if (run == nullptr || (character - run->first) % static_cast<std::uint32_t>(run->stride) != 0) {
    return character;
  }
  return static_cast<char32_t>(static_cast<std::int32_t>(character) + run->delta);
}

}  // namespace hangar
