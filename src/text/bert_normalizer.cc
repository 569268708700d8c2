#include "text/bert_normalizer.h"

#include <utility>

#include "text/unicode_forms.h"
#include "text/utf8.h"

namespace hangar {
namespace {

// U+0130 is the one character whose lower case is two.
constexpr char32_t kCapitalIWithDot = 0x130;
constexpr std::string_view kSmallIAndDot = "i\u0307";

class BertStage final : public NormalizerStage {
 public:
  explicit BertStage(const NormalizerSpec& spec)
      : clean_text_(spec.clean_text),
        chinese_(spec.chinese),
        strip_accents_(spec.strip_accents.value_or(spec.lowercase)),
        lowercase_(spec.lowercase) {}

  bool keeps(std::string_view text) const override { return text.empty(); }
  std::size_t append(std::string_view text, std::string& out) const override {
    std::size_t cut = clean_and_space(text, out);
    if (strip_accents_ && !is_ascii(out)) {
      const std::string apart = to_form(out, UnicodeForm::kNfd);
      out.clear();
      cut += append_without(apart, CharacterClass::nonspacing_mark(), out);
    }
    if (lowercase_) {
      const std::string mixed = std::move(out);
      out.clear();
      append_lower_case(mixed, out);
    }
    return cut;
  }

 private:
  // The two first steps in one walk: neither sees what the other makes.
  std::size_t clean_and_space(std::string_view text, std::string& out) const {
    std::size_t cut = 0;
    out.reserve(text.size() + 16);
    while (!text.empty()) {
      const auto byte = static_cast<std::uint8_t>(text[0]);
      if (byte >= 0x20 && byte < 0x7F) {
        out += text[0];
        text.remove_prefix(1);
        continue;
      }
      const Utf8Unit unit = next_utf8(text);
      const char32_t c = unit.code_point;
      if (clean_text_ && CharacterClass::bert_removed().contains(c)) {
        if (out.empty()) cut += unit.bytes;
      } else if (clean_text_ && is_white_space(c)) {
        out += ' ';
      } else if (chinese_ && is_bert_chinese(c)) {
        out.append(" ").append(text.substr(0, unit.bytes)).append(" ");
      } else {
        out.append(text.substr(0, unit.bytes));
      }
      text.remove_prefix(unit.bytes);
    }
    return cut;
  }

  bool clean_text_;
  bool chinese_;
  bool strip_accents_;
  bool lowercase_;
};

}  // namespace

std::unique_ptr<const NormalizerStage> make_bert_normalizer(const NormalizerSpec& spec) {
  return std::make_unique<BertStage>(spec);
}

bool is_ascii(std::string_view text) {
  std::uint8_t all = 0;
  for (const char byte : text) all |= static_cast<std::uint8_t>(byte);
  return all < 0x80;
}

void append_lower_case(std::string_view text, std::string& out) {
  out.reserve(out.size() + text.size());
  while (!text.empty()) {
    const auto byte = static_cast<std::uint8_t>(text[0]);
    if (byte < 0x80) {
      out += static_cast<char>(lower_case(byte));
      text.remove_prefix(1);
      continue;
    }
    const Utf8Unit unit = next_utf8(text);
    const char32_t lower = lower_case(unit.code_point);
    if (unit.code_point == kCapitalIWithDot) {
      out.append(kSmallIAndDot);
    } else if (lower == unit.code_point) {
      out.append(text.substr(0, unit.bytes));
    } else {
      append_utf8(lower, out);
    }
    text.remove_prefix(unit.bytes);
  }
}

std::size_t append_without(std::string_view text, const CharacterClass& left_out,
                           std::string& out) {
  std::size_t cut = 0;
  while (!text.empty()) {
    const Utf8Unit unit = next_utf8(text);
    if (!left_out.contains(unit.code_point)) {
      out.append(text.substr(0, unit.bytes));
    } else if (out.empty()) {
      cut += unit.bytes;
    }
    text.remove_prefix(unit.bytes);
  }
  return cut;
}

}  // namespace hangar
