// From a template's source to tokens, with all white-space control already done.
//
// Promise: as Jinja2's lexer with trim_blocks and lstrip_blocks on and keep_trailing_newline off:
//   `-` and `+` markers, {% raw %}, comments, strings unescaped, numbers read. The last token is
//   kEnd.
// Errors: kCorrupt with the line, thrown as TemplateFailure.
// Threads: pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hangar::jinja {

enum class TokenType : std::uint8_t {
  kText,
  kPrintBegin,
  kPrintEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenType type = TokenType::kEnd;
  int line = 0;
  std::string text = {};  // the text, name, string without quotes, or operator
  std::int64_t integer = 0;
  double real = 0.0;
};

std::vector<Token> tokenize(std::string_view source);

}  // namespace hangar::jinja
