// The half of the parser that reads expressions.
//
// Promise: Jinja2's precedence: or, and, not, comparison, + -, ~, * / // %, **, unary, postfix,
// filter.
//   What the expressions mention (called names, caller, varargs, kwargs) is noted for the
//   statements.
// Errors: as parser.h.
// Threads: one parse's.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/token_stream.h"

namespace hangar::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  // A whole expression; with_conditional: `a if b else c` is part of it.
  ast::ExprPtr parse(bool with_conditional = true);
  // One expression, or a tuple without parentheses. `end_name` is a name that ends it
  // ("recursive").
  ast::ExprPtr parse_tuple(bool with_conditional = true, std::string_view end_name = {},
                           bool in_parentheses = false);
  ast::ExprPtr parse_primary();
  // Filters behind `input`; with `named_first` the first name stands without its bar.
  ast::ExprPtr parse_filters(ast::ExprPtr input, bool named_first = false);

  // Filters and tests that there are none of, by the order met. Jinja2 refuses them when it
  // compiles, but for those right inside an `if` (statement or expression), which fail only where
  // they are called: whoever parses such a part takes them off, and refuse_unknown() ends the rest.
  struct Unknown {
    std::string_view kind;  // "filter"
    std::string name;
    int line = 0;
  };
  std::size_t unknown() const { return unknown_.size(); }
  void forgive_unknown(std::size_t from) { unknown_.resize(from); }
  // Fails with the first one met since `from`.
  void refuse_unknown(std::size_t from) const;
  // How often a name was read so far: a macro asks before and after its body.
  struct SpecialReads {
    std::size_t caller = 0, varargs = 0, kwargs = 0;
  };
  const SpecialReads& special_reads() const { return special_; }
  std::uint32_t& depth() { return depth_; }

 private:
  ast::ExprPtr make(int line, ast::Expr::Node node,
                    std::initializer_list<const ast::Expr*> children = {});
  ast::ExprPtr make(int line, ast::Expr::Node node, std::uint32_t deepest);
  ast::ExprPtr parse_conditional();
  ast::ExprPtr parse_or();
  ast::ExprPtr parse_and();
  ast::ExprPtr parse_not();
  ast::ExprPtr parse_compare();
  ast::ExprPtr parse_sum();
  ast::ExprPtr parse_concat();
  ast::ExprPtr parse_product();
  ast::ExprPtr parse_power();
  ast::ExprPtr parse_unary(bool with_filter);
  ast::ExprPtr parse_name();
  ast::ExprPtr parse_list();
  ast::ExprPtr parse_dict();
  ast::ExprPtr parse_postfix(ast::ExprPtr base);
  ast::ExprPtr parse_filter_tail(ast::ExprPtr base);
  ast::ExprPtr parse_attribute(ast::ExprPtr base);
  ast::ExprPtr parse_subscript(ast::ExprPtr base);
  ast::ExprPtr parse_call(ast::ExprPtr callee);
  ast::ExprPtr parse_filter(ast::ExprPtr input);
  ast::ExprPtr parse_test(ast::ExprPtr input);
  ast::CallArgs parse_call_args();
  std::string parse_dotted_name();
  bool at_tuple_end(std::string_view end_name) const;
  static std::uint32_t depth_of(const ast::CallArgs& args);

  TokenStream& tokens_;
  std::vector<Unknown> unknown_;
  SpecialReads special_;
  std::uint32_t depth_ = 0;
};

}  // namespace hangar::jinja
