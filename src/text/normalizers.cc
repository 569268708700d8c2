#include "text/normalizers.h"

#include <algorithm>
#include <utility>

#include "text/bert_normalizer.h"
#include "text/byte_spelling.h"
#include "text/character_class.h"
#include "text/precompiled_charsmap.h"
#include "text/replace_normalizer.h"
#include "text/unicode_forms.h"
#include "text/utf8.h"

namespace hangar {
namespace {

class FormStage final : public NormalizerStage {
 public:
  explicit FormStage(UnicodeForm form) : form_(form) {}
  bool keeps(std::string_view text) const override { return surely_in_form(text, form_); }
  std::size_t append(std::string_view text, std::string& out) const override {
    out = to_form(text, form_);
    return 0;
  }

 private:
  UnicodeForm form_;
};

class LowercaseStage final : public NormalizerStage {
 public:
  bool keeps(std::string_view text) const override {
    return std::all_of(text.begin(), text.end(), [](char byte) {
      return static_cast<std::uint8_t>(byte) < 0x80 && (byte < 'A' || byte > 'Z');
    });
  }
  std::size_t append(std::string_view text, std::string& out) const override {
    append_lower_case(text, out);
    return 0;
  }
};

class StripStage final : public NormalizerStage {
 public:
  StripStage(bool left, bool right) : left_(left), right_(right) {}
  bool keeps(std::string_view text) const override { return stripped(text).size() == text.size(); }
  std::size_t append(std::string_view text, std::string& out) const override {
    const std::string_view kept = stripped(text);
    out = kept;
    return static_cast<std::size_t>(kept.data() - text.data());
  }

 private:
  std::string_view stripped(std::string_view text) const {
    while (left_ && !text.empty()) {
      const Utf8Unit unit = next_utf8(text);
      if (!is_white_space(unit.code_point)) break;
      text.remove_prefix(unit.bytes);
    }
    while (right_ && !text.empty()) {
      std::size_t at = text.size() - 1;
      while (at > 0 && (static_cast<std::uint8_t>(text[at]) & 0xC0U) == 0x80) --at;
      if (!is_white_space(next_utf8(text.substr(at)).code_point)) break;
      text = text.substr(0, at);
    }
    return text;
  }

  bool left_;
  bool right_;
};

// Leaves out the characters of a class.
class WithoutMarksStage final : public NormalizerStage {
 public:
  bool keeps(std::string_view text) const override { return is_ascii(text); }
  std::size_t append(std::string_view text, std::string& out) const override {
    return append_without(text, CharacterClass::combining_mark(), out);
  }
};

class PrependStage final : public NormalizerStage {
 public:
  explicit PrependStage(std::string content) : content_(std::move(content)) {}
  bool keeps(std::string_view text) const override { return text.empty(); }
  std::size_t append(std::string_view text, std::string& out) const override {
    if (!text.empty()) out.append(content_).append(text);
    return 0;
  }

 private:
  std::string content_;
};

// SentencePiece's rules for machine translation: some controls go, some become spaces.
class NmtStage final : public NormalizerStage {
 public:
  bool keeps(std::string_view text) const override {
    return std::all_of(text.begin(), text.end(),
                       [](char byte) { return byte >= 0x20 && byte < 0x7F; });
  }
  std::size_t append(std::string_view text, std::string& out) const override {
    std::size_t cut = 0;
    for (std::string_view rest = text; !rest.empty();) {
      const Utf8Unit unit = next_utf8(rest);
      const char32_t c = unit.code_point;
      if (is_removed(c)) {
        if (out.empty()) cut += unit.bytes;
      } else if (is_space(c)) {
        out += ' ';
      } else {
        out.append(rest.substr(0, unit.bytes));
      }
      rest.remove_prefix(unit.bytes);
    }
    return cut;
  }

 private:
  static bool is_removed(char32_t c) {
    return (c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F ||
           c == 0x9F;
  }
  static bool is_space(char32_t c) {
    return c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == 0x1680 ||
           (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
           c == 0xFEFF || c == 0xFFFD;
  }
};

class PrecompiledStage final : public NormalizerStage {
 public:
  explicit PrecompiledStage(PrecompiledCharsmap charsmap) : charsmap_(std::move(charsmap)) {}
  bool keeps(std::string_view text) const override { return text.empty(); }
  std::size_t append(std::string_view text, std::string& out) const override {
    out = charsmap_.normalize(text);
    return 0;
  }

 private:
  PrecompiledCharsmap charsmap_;
};

class ByteLevelNormalizer final : public NormalizerStage {
 public:
  bool keeps(std::string_view text) const override { return text.empty(); }
  std::size_t append(std::string_view text, std::string& out) const override {
    append_spelling(text, out);
    return 0;
  }
};

using NormalizerPtr = std::unique_ptr<const NormalizerStage>;

Result<NormalizerPtr> make_stage(const NormalizerSpec& spec) {
  switch (spec.kind) {
    case NormalizerKind::kNfc:
      return std::make_unique<FormStage>(UnicodeForm::kNfc);
    case NormalizerKind::kNfd:
      return std::make_unique<FormStage>(UnicodeForm::kNfd);
    case NormalizerKind::kNfkc:
      return std::make_unique<FormStage>(UnicodeForm::kNfkc);
    case NormalizerKind::kNfkd:
      return std::make_unique<FormStage>(UnicodeForm::kNfkd);
    case NormalizerKind::kLowercase:
      return std::make_unique<LowercaseStage>();
    case NormalizerKind::kStrip:
      return std::make_unique<StripStage>(spec.left, spec.right);
    case NormalizerKind::kStripAccents:
      return std::make_unique<WithoutMarksStage>();
    case NormalizerKind::kReplace:
      return make_replace_normalizer(spec);
    case NormalizerKind::kPrepend:
      return std::make_unique<PrependStage>(spec.content);
    case NormalizerKind::kBert:
      return make_bert_normalizer(spec);
    case NormalizerKind::kPrecompiled: {
      HANGAR_TRY(PrecompiledCharsmap charsmap, PrecompiledCharsmap::parse(spec.charsmap));
      return std::make_unique<PrecompiledStage>(std::move(charsmap));
    }
    case NormalizerKind::kNmt:
      return std::make_unique<NmtStage>();
    case NormalizerKind::kByteLevel:
      return std::make_unique<ByteLevelNormalizer>();
  }
  return make_error(ErrorCode::kUnsupported, "tokenizer: normalizer {} is not known",
                    static_cast<int>(spec.kind));
}

}  // namespace

Result<Normalizers> Normalizers::build(const std::vector<NormalizerSpec>& specs) {
  Normalizers normalizers;
  for (const NormalizerSpec& spec : specs) {
    HANGAR_TRY(NormalizerPtr stage, make_stage(spec));
    normalizers.stages_.push_back(std::move(stage));
  }
  return normalizers;
}

std::string_view Normalizers::normalize(std::string_view text, Scratch& scratch,
                                        bool& cut_front) const {
  for (const NormalizerPtr& stage : stages_) {
    if (stage->keeps(text)) continue;
    scratch.next.clear();
    if (stage->append(text, scratch.next) > 0) cut_front = true;
    std::swap(scratch.text, scratch.next);
    text = scratch.text;
  }
  return text;
}

}  // namespace hangar
