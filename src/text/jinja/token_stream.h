// TokenStream: the parser's place among the tokens, and the nesting it is in.
//
// Promise: looking past the end gives kEnd.
// Errors: expect() throws kCorrupt with the line.
// Threads: one parse's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/error.h"
#include "text/jinja/lexer.h"

namespace hangar::jinja {

// "'name'", "end of the template": for messages.
std::string describe(const Token& token);

class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(place_ + ahead, tokens_.size() - 1)];
  }
  const Token& next() {
    const Token& token = peek();
    if (place_ + 1 < tokens_.size()) ++place_;
    return token;
  }
  int line() const { return peek().line; }

  bool at(TokenType type) const { return peek().type == type; }
  bool at_name(std::string_view name, std::size_t ahead = 0) const {
    return peek(ahead).type == TokenType::kName && peek(ahead).text == name;
  }
  bool at_operator(std::string_view symbol, std::size_t ahead = 0) const {
    return peek(ahead).type == TokenType::kOperator && peek(ahead).text == symbol;
  }
  bool skip_name(std::string_view name) { return at_name(name) && (next(), true); }
  bool skip_operator(std::string_view symbol) { return at_operator(symbol) && (next(), true); }

  const Token& expect(TokenType type, std::string_view what) {
    if (!at(type)) fail_expected(what);
    return next();
  }
  void expect_operator(std::string_view symbol) {
    if (!skip_operator(symbol)) fail_expected(fmt::format("'{}'", symbol));
  }
  void expect_name(std::string_view name) {
    if (!skip_name(name)) fail_expected(fmt::format("'{}'", name));
  }
  [[noreturn]] void fail_expected(std::string_view what) const {
    fail_at(line(), ErrorCode::kCorrupt, "expected {}, got {}", what, describe(peek()));
  }

 private:
  std::vector<Token> tokens_;
  std::size_t place_ = 0;
};

// Counts how deep the parser's own calls nest.
class NestingGuard {
 public:
  NestingGuard(std::uint32_t& depth, int line) : depth_(depth) {
    if (++depth_ > ast::kMaxDepth) {
      --depth_;
      fail_at(line, ErrorCode::kResourceExhausted, "the template nests deeper than {}",
              ast::kMaxDepth);
    }
  }
  ~NestingGuard() { --depth_; }
  NestingGuard(const NestingGuard&) = delete;
  NestingGuard& operator=(const NestingGuard&) = delete;

 private:
  std::uint32_t& depth_;
};

}  // namespace hangar::jinja
