#include "text/jinja/parser.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "text/jinja/expression_parser.h"
#include "text/jinja/scoping.h"
#include "text/jinja/token_stream.h"

namespace hangar::jinja {
namespace {

using ast::ExprPtr;

class StatementParser {
 public:
  explicit StatementParser(std::string_view source) : tokens_(tokenize(source)) {}

  ast::Body run() {
    ast::Body root{parse_body({}), {}};
    expressions_.refuse_unknown(0);
    mark_hidden_names(root);
    return root;
  }

 private:
  using Ends = std::initializer_list<std::string_view>;

  // Statements up to a block that starts with one of `ends`; its name is the next token then.
  ast::Block parse_body(Ends ends, int begin_line = 0) {
    const NestingGuard guard(expressions_.depth(), tokens_.line());
    ast::Block body;
    while (true) {
      const int line = tokens_.line();
      switch (tokens_.peek().type) {
        case TokenType::kText:
          body.push_back({line, ast::Text{tokens_.next().text}});
          break;
        case TokenType::kPrintBegin: {
          tokens_.next();
          ast::Print print;
          print.values.push_back(expressions_.parse_tuple());
          tokens_.expect(TokenType::kPrintEnd, "'}}'");
          body.push_back({line, std::move(print)});
          break;
        }
        case TokenType::kBlockBegin:
          tokens_.next();
          if (at_any(ends)) return body;
          body.push_back(parse_statement(line));
          tokens_.expect(TokenType::kBlockEnd, "'%}'");
          break;
        case TokenType::kEnd:
          if (ends.size() == 0) return body;
          fail_at(begin_line, ErrorCode::kCorrupt, "the block is not closed: '{}' is missing",
                  *(ends.end() - 1));
        default:
          tokens_.fail_expected("text or a tag");
      }
    }
  }

  bool at_any(Ends ends) const {
    return std::any_of(ends.begin(), ends.end(),
                       [this](std::string_view end) { return tokens_.at_name(end); });
  }

  // Behind a block's head: its end, the body, and the name that ends the body.
  ast::Block parse_block_body(Ends ends, int line) {
    tokens_.skip_operator(":");
    tokens_.expect(TokenType::kBlockEnd, "'%}'");
    return parse_body(ends, line);
  }
  // The same with names of its own: an `if` around it forgives nothing that is in it.
  ast::Body parse_scope_body(Ends ends, int line) {
    const std::size_t unknown_before = expressions_.unknown();
    ast::Body body{parse_block_body(ends, line), {}};
    expressions_.refuse_unknown(unknown_before);
    return body;
  }
  ast::Body parse_last_body(std::string_view end, int line) {
    ast::Body body = parse_scope_body({end}, line);
    tokens_.next();
    return body;
  }

  ast::Stmt parse_statement(int line) {
    const std::string tag = tokens_.expect(TokenType::kName, "the name of a tag").text;
    if (tag == "for") return parse_for(line);
    if (tag == "if") return parse_if(line);
    if (tag == "set") return parse_set(line);
    if (tag == "macro") return parse_macro(line);
    if (tag == "call") return parse_call_block(line);
    if (tag == "filter") return parse_filter_block(line);
    if (tag == "with") return parse_with(line);
    if (tag == "print") return parse_print(line);
    if (tag == "generation") {
      const std::size_t outer_loops = std::exchange(loops_, 0);
      ast::Stmt statement{line, ast::Generation{parse_last_body("endgeneration", line)}};
      loops_ = outer_loops;
      return statement;
    }
    if (tag == "break" || tag == "continue") {
      if (loops_ == 0) fail_at(line, ErrorCode::kCorrupt, "'{}' stands outside a loop", tag);
      if (tag == "break") return {line, ast::Break{}};
      return {line, ast::Continue{}};
    }
    fail_unknown_tag(tag, line);
  }

  [[noreturn]] static void fail_unknown_tag(const std::string& tag, int line) {
    if (tag.starts_with("end") || tag == "else" || tag == "elif") {
      fail_at(line, ErrorCode::kCorrupt, "'{}' closes nothing that is open here", tag);
    }
    fail_at(line, ErrorCode::kUnsupported, "unknown tag '{}'", tag);
  }

  // A name, or a tuple of targets; in `set` also namespace.attribute.
  ast::Target parse_target(bool with_namespace, std::string_view end_name = {}) {
    const NestingGuard guard(expressions_.depth(), tokens_.line());
    ast::Target tuple;
    tuple.form = ast::Target::Form::kTuple;
    bool has_comma = false;
    while (!tokens_.at_operator("=") && !tokens_.at_operator(")") &&
           !tokens_.at(TokenType::kBlockEnd) && (end_name.empty() || !tokens_.at_name(end_name))) {
      tuple.items.push_back(parse_one_target(with_namespace));
      if (!tokens_.skip_operator(",")) break;
      has_comma = true;
    }
    if (tuple.items.empty()) tokens_.fail_expected("a name to assign to");
    return has_comma ? std::move(tuple) : std::move(tuple.items.front());
  }

  ast::Target parse_one_target(bool with_namespace) {
    if (tokens_.skip_operator("(")) {
      ast::Target inner = parse_target(with_namespace);
      tokens_.expect_operator(")");
      return inner;
    }
    const int line = tokens_.line();
    ast::Target target;
    target.name = tokens_.expect(TokenType::kName, "a name to assign to").text;
    constexpr std::array<std::string_view, 8> kReserved = {"true",  "false", "none", "True",
                                                           "False", "None",  "not",  "loop"};
    if (std::find(kReserved.begin(), kReserved.end(), target.name) != kReserved.end()) {
      fail_at(line, ErrorCode::kCorrupt, "can't assign to '{}'", target.name);
    }
    if (with_namespace && tokens_.skip_operator(".")) {
      target.form = ast::Target::Form::kNamespace;
      target.attribute = tokens_.expect(TokenType::kName, "the name of an attribute").text;
    }
    return target;
  }

  ast::Stmt parse_for(int line) {
    ast::For loop;
    loop.target = parse_target(false, "in");
    tokens_.expect_name("in");
    loop.iterable = expressions_.parse_tuple(false, "recursive");
    const std::size_t unknown_before = expressions_.unknown();
    if (tokens_.skip_name("if")) loop.test = expressions_.parse();
    expressions_.refuse_unknown(unknown_before);
    loop.recursive = tokens_.skip_name("recursive");
    ++loops_;
    loop.body = parse_scope_body({"else", "endfor"}, line);
    --loops_;
    if (tokens_.next().text == "else") loop.otherwise = parse_last_body("endfor", line);
    return {line, std::move(loop)};
  }

  ast::Stmt parse_if(int line) {
    ast::If chain;
    const std::size_t unknown_before = expressions_.unknown();
    while (true) {
      ExprPtr condition = expressions_.parse_tuple(false);
      ast::Block body = parse_block_body({"elif", "else", "endif"}, line);
      chain.branches.emplace_back(std::move(condition), std::move(body));
      const std::string end = tokens_.next().text;
      if (end == "elif") continue;
      if (end == "else") {
        chain.otherwise = parse_block_body({"endif"}, line);
        tokens_.next();
      }
      expressions_.forgive_unknown(unknown_before);
      return {line, std::move(chain)};
    }
  }

  ast::Stmt parse_set(int line) {
    ast::Target target = parse_target(true);
    if (tokens_.skip_operator("=")) {
      return {line, ast::Set{std::move(target), expressions_.parse_tuple()}};
    }
    ast::SetBlock block;
    block.target = std::move(target);
    const std::size_t unknown_before = expressions_.unknown();
    block.filter = expressions_.parse_filters(nullptr);
    expressions_.refuse_unknown(unknown_before);
    block.body = parse_last_body("endset", line);
    return {line, std::move(block)};
  }

  ast::Signature parse_signature() {
    ast::Signature signature;
    const std::size_t unknown_before = expressions_.unknown();
    tokens_.expect_operator("(");
    while (!tokens_.at_operator(")")) {
      if (!signature.names.empty()) tokens_.expect_operator(",");
      const int line = tokens_.line();
      signature.names.push_back(tokens_.expect(TokenType::kName, "the name of a parameter").text);
      if (tokens_.skip_operator("=")) {
        signature.defaults.push_back(expressions_.parse());
      } else if (!signature.defaults.empty()) {
        fail_at(line, ErrorCode::kCorrupt, "non-default argument follows default argument");
      }
    }
    tokens_.expect_operator(")");
    expressions_.refuse_unknown(unknown_before);
    return signature;
  }

  // A macro's body, and which of the special names it reads.
  ast::Body parse_macro_body(std::string_view end, ast::Signature& signature, int line) {
    const auto before = expressions_.special_reads();
    const std::size_t outer_loops = std::exchange(loops_, 0);
    ast::Body body = parse_last_body(end, line);
    loops_ = outer_loops;
    const auto& after = expressions_.special_reads();
    signature.uses_caller = after.caller != before.caller;
    signature.uses_varargs = after.varargs != before.varargs;
    signature.uses_kwargs = after.kwargs != before.kwargs;
    return body;
  }

  ast::Stmt parse_macro(int line) {
    ast::Macro macro;
    macro.name = tokens_.expect(TokenType::kName, "the name of the macro").text;
    macro.signature = parse_signature();
    macro.body = parse_macro_body("endmacro", macro.signature, line);
    return {line, std::move(macro)};
  }

  ast::Stmt parse_call_block(int line) {
    ast::CallBlock block;
    if (tokens_.at_operator("(")) block.caller.signature = parse_signature();
    block.call = expressions_.parse();
    if (!std::holds_alternative<ast::Call>(block.call->node)) {
      fail_at(line, ErrorCode::kCorrupt, "expected a call behind 'call'");
    }
    block.caller.body = parse_macro_body("endcall", block.caller.signature, line);
    return {line, std::move(block)};
  }

  ast::Stmt parse_filter_block(int line) {
    ast::FilterBlock block;
    const std::size_t unknown_before = expressions_.unknown();
    block.filter = expressions_.parse_filters(nullptr, true);
    expressions_.refuse_unknown(unknown_before);
    block.body = parse_last_body("endfilter", line);
    return {line, std::move(block)};
  }

  ast::Stmt parse_with(int line) {
    ast::With with;
    while (!tokens_.at(TokenType::kBlockEnd)) {
      if (!with.assignments.empty()) tokens_.expect_operator(",");
      ast::Target target = parse_one_target(false);
      tokens_.expect_operator("=");
      with.assignments.emplace_back(std::move(target), expressions_.parse());
    }
    with.body = parse_last_body("endwith", line);
    return {line, std::move(with)};
  }

  ast::Stmt parse_print(int line) {
    ast::Print print;
    while (!tokens_.at(TokenType::kBlockEnd)) {
      if (!print.values.empty()) tokens_.expect_operator(",");
      print.values.push_back(expressions_.parse());
    }
    return {line, std::move(print)};
  }

  TokenStream tokens_;
  ExpressionParser expressions_{tokens_};
  std::size_t loops_ = 0;  // how many are open here
};

}  // namespace

ast::Body parse_template(std::string_view source) {
  return StatementParser(source).run();
}

}  // namespace hangar::jinja
