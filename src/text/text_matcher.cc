#include "text/text_matcher.h"

namespace hangar {

Result<TextMatcher> TextMatcher::build(const TextPattern& pattern) {
  TextMatcher matcher;
  matcher.string_ = pattern.text;
  if (pattern.regex) {
    HANGAR_TRY(matcher.expression_, Expression::compile(pattern.text));
  }
  return matcher;
}

TextMatcher::Cursor TextMatcher::make_cursor() const {
  if (!expression_) return std::nullopt;
  return Cursor(std::in_place, *expression_);
}

}  // namespace hangar
