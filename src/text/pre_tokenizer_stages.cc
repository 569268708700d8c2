#include "text/pre_tokenizer_stages.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "text/byte_spelling.h"
#include "text/character_class.h"
#include "text/pre_tokenizers.h"
#include "text/split_behavior.h"
#include "text/utf8.h"

namespace hangar {
namespace {

using Emit = PreTokenizerStage::Emit;
using Memory = PreTokenizerStage::Memory;

// Cuts where a pattern matches.
template <typename Give>
void cut_at_matches(const TextMatcher& matcher, TextMatcher::Cursor& cursor, std::string_view text,
                    SplitBehavior behavior, bool invert, Give give) {
  SplitCutter cutter(behavior, invert, give);
  std::size_t done = 0;
  matcher.for_each_match(text, cursor, [&](std::size_t begin, std::size_t end) {
    if (begin > done) cutter.add(done, begin, false);
    cutter.add(begin, end, true);
    done = end;
  });
  if (done < text.size()) cutter.add(done, text.size(), false);
  cutter.finish();
}

// Cuts at each character for which `matches` says yes.
template <typename Matches>
void cut_at_characters(std::string_view text, bool at_start, SplitBehavior behavior,
                       Matches matches, Emit emit) {
  SplitCutter cutter(behavior, false, [&](std::size_t begin, std::size_t end) {
    emit(text.substr(begin, end - begin), at_start && begin == 0);
  });
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<std::uint8_t>(text[at]);
    const Utf8Unit unit =
        byte < 0x80 ? Utf8Unit{.bytes = 1, .valid = true, .incomplete = false, .code_point = byte}
                    : next_utf8(text.substr(at));
    if (matches(unit.code_point)) {
      if (at > done) cutter.add(done, at, false);
      cutter.add(at, at + unit.bytes, true);
      done = at + unit.bytes;
    }
    at += unit.bytes;
  }
  if (done < text.size()) cutter.add(done, text.size(), false);
  cutter.finish();
}

bool is_punctuation(char32_t c) {
  return CharacterClass::punctuation().contains(c);
}

class SplitStage final : public PreTokenizerStage {
 public:
  SplitStage(TextMatcher matcher, SplitBehavior behavior, bool invert)
      : matcher_(std::move(matcher)), behavior_(behavior), invert_(invert) {}
  TextMatcher::Cursor make_cursor() const override { return matcher_.make_cursor(); }
  void cut(std::string_view text, bool at_start, Memory& memory, Emit emit) const override {
    cut_at_matches(matcher_, memory.cursor, text, behavior_, invert_,
                   [&](std::size_t begin, std::size_t end) {
                     emit(text.substr(begin, end - begin), at_start && begin == 0);
                   });
  }

 private:
  TextMatcher matcher_;
  SplitBehavior behavior_;
  bool invert_;
};

class ByteLevelStage final : public PreTokenizerStage {
 public:
  ByteLevelStage(std::optional<TextMatcher> words, bool add_prefix_space, bool spell)
      : words_(std::move(words)), add_prefix_space_(add_prefix_space), spell_(spell) {}
  TextMatcher::Cursor make_cursor() const override {
    return words_ ? words_->make_cursor() : std::nullopt;
  }
  void cut(std::string_view text, bool at_start, Memory& memory, Emit emit) const override {
    if (add_prefix_space_ && text[0] != ' ') {
      memory.text.assign(" ").append(text);
      text = memory.text;
    }
    const auto give = [&](std::size_t begin, std::size_t end) {
      const std::string_view piece = text.substr(begin, end - begin);
      if (!spell_) return emit(piece, at_start && begin == 0);
      memory.piece.clear();
      append_spelling(piece, memory.piece);
      emit(memory.piece, at_start && begin == 0);
    };
    if (!words_) return give(0, text.size());
    cut_at_matches(*words_, memory.cursor, text, SplitBehavior::kIsolated, false, give);
  }

 private:
  std::optional<TextMatcher> words_;
  bool add_prefix_space_;
  bool spell_;
};

class MetaspaceStage final : public PreTokenizerStage {
 public:
  MetaspaceStage(std::string replacement, PrependScheme prepend, bool split)
      : replacement_(std::move(replacement)), prepend_(prepend), split_(split) {}

  void cut(std::string_view text, bool at_start, Memory& memory, Emit emit) const override {
    std::string& marked = memory.text;
    marked.clear();
    const bool prepends =
        prepend_ == PrependScheme::kAlways || (prepend_ == PrependScheme::kFirst && at_start);
    if (prepends && text[0] != ' ' && !text.starts_with(replacement_)) marked = replacement_;
    while (!text.empty()) {
      const std::size_t word = std::min(text.find(' '), text.size());
      marked.append(text.substr(0, word));
      text.remove_prefix(word);
      if (text.empty()) break;
      marked.append(replacement_);
      text.remove_prefix(1);
    }
    if (!split_) return emit(marked, at_start);
    // Each mark begins a piece.
    const std::string_view all = marked;
    std::size_t begin = 0;
    while (begin < all.size()) {
      const std::size_t from =
          all.substr(begin).starts_with(replacement_) ? begin + replacement_.size() : begin + 1;
      const std::size_t end = std::min(all.find(replacement_, from), all.size());
      emit(all.substr(begin, end - begin), at_start && begin == 0);
      begin = end;
    }
  }

 private:
  std::string replacement_;
  PrependScheme prepend_;
  bool split_;
};

// \w+|[^\w\s]+, white space removed.
class WhitespaceStage final : public PreTokenizerStage {
 public:
  void cut(std::string_view text, bool at_start, Memory& /*memory*/, Emit emit) const override {
    enum class Kind { kSpace, kWord, kOther };
    std::size_t begin = 0;
    Kind last = Kind::kSpace;
    for (std::size_t at = 0; at < text.size();) {
      const Utf8Unit unit = next_utf8(text.substr(at));
      const Kind kind = is_white_space(unit.code_point)                    ? Kind::kSpace
                        : CharacterClass::word().contains(unit.code_point) ? Kind::kWord
                                                                           : Kind::kOther;
      if (kind != last) {
        if (last != Kind::kSpace) emit(text.substr(begin, at - begin), at_start && begin == 0);
        begin = at;
        last = kind;
      }
      at += unit.bytes;
    }
    if (last != Kind::kSpace) emit(text.substr(begin), at_start && begin == 0);
  }
};

// Cuts at the characters of a class.
class CharacterStage final : public PreTokenizerStage {
 public:
  CharacterStage(bool (*matches)(char32_t), SplitBehavior behavior)
      : matches_(matches), behavior_(behavior) {}
  void cut(std::string_view text, bool at_start, Memory& /*memory*/, Emit emit) const override {
    cut_at_characters(text, at_start, behavior_, matches_, emit);
  }

 private:
  bool (*matches_)(char32_t);
  SplitBehavior behavior_;
};

// White space goes, punctuation stands alone.
class BertStage final : public PreTokenizerStage {
 public:
  void cut(std::string_view text, bool at_start, Memory& /*memory*/, Emit emit) const override {
    std::size_t begin = 0;
    const auto give = [&](std::size_t end) {
      if (begin < end) emit(text.substr(begin, end - begin), at_start && begin == 0);
    };
    for (std::size_t at = 0; at < text.size();) {
      const Utf8Unit unit = next_utf8(text.substr(at));
      const bool space = is_white_space(unit.code_point);
      if (space || is_punctuation(unit.code_point)) {
        give(at);
        begin = at;
        if (!space) give(at + unit.bytes);
        begin = at + unit.bytes;
      }
      at += unit.bytes;
    }
    give(text.size());
  }
};

class ScriptsStage final : public PreTokenizerStage {
 public:
  void cut(std::string_view text, bool at_start, Memory& /*memory*/, Emit emit) const override {
    std::int32_t script = 0;
    std::size_t begin = 0;
    for (std::size_t at = 0; at < text.size();) {
      const Utf8Unit unit = next_utf8(text.substr(at));
      const std::int32_t here = joined_script_of(unit.code_point);
      if (here != 0 && here != script) {
        // Nothing begins a piece before the first script is known, so what stands there is lost.
        if (script != 0) emit(text.substr(begin, at - begin), at_start && begin == 0);
        begin = at;
        script = here;
      }
      at += unit.bytes;
    }
    if (script != 0) emit(text.substr(begin), at_start && begin == 0);
  }
};

class FixedLengthStage final : public PreTokenizerStage {
 public:
  explicit FixedLengthStage(std::uint32_t length) : length_(length) {}
  void cut(std::string_view text, bool at_start, Memory& /*memory*/, Emit emit) const override {
    std::size_t begin = 0;
    std::uint32_t characters = 0;
    for (std::size_t at = 0; at < text.size();) {
      at += next_utf8(text.substr(at)).bytes;
      if (++characters < length_ && at < text.size()) continue;
      emit(text.substr(begin, at - begin), at_start && begin == 0);
      begin = at;
      characters = 0;
    }
  }

 private:
  std::uint32_t length_;
};

std::size_t characters_in(std::string_view text) {
  std::size_t characters = 0;
  for (; !text.empty(); text.remove_prefix(next_utf8(text).bytes)) ++characters;
  return characters;
}

using StagePtr = std::unique_ptr<const PreTokenizerStage>;

Result<StagePtr> make_byte_level(const PreTokenizerSpec& spec, bool spell_bytes) {
  std::optional<TextMatcher> words;
  if (spec.use_regex) {
    HANGAR_TRY(words, TextMatcher::build({.text = std::string(gpt2_expression()), .regex = true}));
  }
  return std::make_unique<ByteLevelStage>(std::move(words), spec.add_prefix_space, spell_bytes);
}

}  // namespace

Result<StagePtr> make_pre_tokenizer_stage(const PreTokenizerSpec& spec, bool spell_bytes) {
  const auto characters = [](bool (*matches)(char32_t), SplitBehavior behavior) -> StagePtr {
    return std::make_unique<CharacterStage>(matches, behavior);
  };
  switch (spec.kind) {
    case PreTokenizerKind::kSplit: {
      HANGAR_TRY(TextMatcher matcher, TextMatcher::build(spec.pattern));
      return std::make_unique<SplitStage>(std::move(matcher), spec.behavior, spec.invert);
    }
    case PreTokenizerKind::kByteLevel:
      return make_byte_level(spec, spell_bytes);
    case PreTokenizerKind::kMetaspace:
      if (characters_in(spec.replacement) != 1) {
        return make_error(ErrorCode::kCorrupt,
                          "tokenizer: Metaspace's replacement is not one character");
      }
      return std::make_unique<MetaspaceStage>(spec.replacement, spec.prepend, spec.split);
    case PreTokenizerKind::kWhitespace:
      return std::make_unique<WhitespaceStage>();
    case PreTokenizerKind::kWhitespaceSplit:
      return characters([](char32_t c) { return is_white_space(c); }, SplitBehavior::kRemoved);
    case PreTokenizerKind::kBert:
      return std::make_unique<BertStage>();
    case PreTokenizerKind::kPunctuation:
      return characters(is_punctuation, spec.behavior);
    case PreTokenizerKind::kDigits:
      return characters([](char32_t c) { return CharacterClass::numeric().contains(c); },
                        spec.individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous);
    case PreTokenizerKind::kCharDelimiter: {
      if (characters_in(spec.pattern.text) != 1) {
        return make_error(ErrorCode::kCorrupt, "tokenizer: a delimiter is not one character");
      }
      HANGAR_TRY(TextMatcher matcher,
                 TextMatcher::build({.text = spec.pattern.text, .regex = false}));
      return std::make_unique<SplitStage>(std::move(matcher), SplitBehavior::kRemoved, false);
    }
    case PreTokenizerKind::kUnicodeScripts:
      return std::make_unique<ScriptsStage>();
    case PreTokenizerKind::kFixedLength:
      if (spec.length == 0) {
        return make_error(ErrorCode::kCorrupt, "tokenizer: pieces of a fixed length of 0");
      }
      return std::make_unique<FixedLengthStage>(spec.length);
  }
  return make_error(ErrorCode::kUnsupported, "tokenizer: pre-tokenizer {} is not known",
                    static_cast<int>(spec.kind));
}

}  // namespace hangar
