#include "text/jinja/token_stream.h"

namespace hangar::jinja {

std::string describe(const Token& token) {
  switch (token.type) {
    case TokenType::kText:
      return "text";
    case TokenType::kPrintBegin:
      return "'{{'";
    case TokenType::kPrintEnd:
      return "'}}'";
    case TokenType::kBlockBegin:
      return "'{%'";
    case TokenType::kBlockEnd:
      return "'%}'";
    case TokenType::kString:
      return "a string";
    case TokenType::kName:
    case TokenType::kInteger:
    case TokenType::kFloat:
    case TokenType::kOperator:
      return fmt::format("'{}'", token.text);
    case TokenType::kEnd:
      return "the end of the template";
  }
  return "a token";
}

}  // namespace hangar::jinja
