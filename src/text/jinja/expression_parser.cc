#include "text/jinja/expression_parser.h"

#include <algorithm>
#include <array>

namespace hangar::jinja {
namespace {

using ast::ExprPtr;

constexpr std::array<std::pair<std::string_view, CompareOp>, 6> kCompareOperators = {
    {{"==", CompareOp::kEqual},
     {"!=", CompareOp::kNotEqual},
     {"<", CompareOp::kLess},
     {"<=", CompareOp::kLessEqual},
     {">", CompareOp::kGreater},
     {">=", CompareOp::kGreaterEqual}}};

constexpr std::array<std::pair<std::string_view, BinaryOp>, 4> kProductOperators = {
    {{"*", BinaryOp::kMultiply},
     {"/", BinaryOp::kDivide},
     {"//", BinaryOp::kFloorDivide},
     {"%", BinaryOp::kModulo}}};

}  // namespace

ExprPtr ExpressionParser::make(int line, ast::Expr::Node node,
                               std::initializer_list<const ast::Expr*> children) {
  std::uint32_t deepest = 0;
  for (const ast::Expr* child : children) {
    if (child != nullptr) deepest = std::max(deepest, child->depth);
  }
  return make(line, std::move(node), deepest);
}

ExprPtr ExpressionParser::make(int line, ast::Expr::Node node, std::uint32_t deepest) {
  if (deepest >= ast::kMaxDepth) {
    fail_at(line, ErrorCode::kResourceExhausted, "an expression nests deeper than {}",
            ast::kMaxDepth);
  }
  auto expression = std::make_unique<ast::Expr>();
  expression->line = line;
  expression->depth = deepest + 1;
  expression->node = std::move(node);
  return expression;
}

ExprPtr ExpressionParser::parse(bool with_conditional) {
  const NestingGuard guard(depth_, tokens_.line());
  return with_conditional ? parse_conditional() : parse_or();
}

ExprPtr ExpressionParser::parse_conditional() {
  const NestingGuard guard(depth_, tokens_.line());
  const std::size_t unknown_before = unknown_.size();
  ExprPtr then = parse_or();
  while (tokens_.at_name("if")) {
    const int line = tokens_.next().line;
    ExprPtr condition = parse_or();
    ExprPtr otherwise;
    if (tokens_.skip_name("else")) otherwise = parse_conditional();
    forgive_unknown(unknown_before);
    const auto* first = then.get();
    const auto* second = condition.get();
    const auto* third = otherwise.get();
    then = make(line, ast::Conditional{std::move(condition), std::move(then), std::move(otherwise)},
                {first, second, third});
  }
  return then;
}

ExprPtr ExpressionParser::parse_or() {
  ExprPtr left = parse_and();
  while (tokens_.at_name("or")) {
    const int line = tokens_.next().line;
    ExprPtr right = parse_and();
    const auto* first = left.get();
    const auto* second = right.get();
    left = make(line, ast::Logical{false, std::move(left), std::move(right)}, {first, second});
  }
  return left;
}

ExprPtr ExpressionParser::parse_and() {
  ExprPtr left = parse_not();
  while (tokens_.at_name("and")) {
    const int line = tokens_.next().line;
    ExprPtr right = parse_not();
    const auto* first = left.get();
    const auto* second = right.get();
    left = make(line, ast::Logical{true, std::move(left), std::move(right)}, {first, second});
  }
  return left;
}

ExprPtr ExpressionParser::parse_not() {
  if (!tokens_.at_name("not")) return parse_compare();
  const int line = tokens_.next().line;
  const NestingGuard guard(depth_, line);
  ExprPtr operand = parse_not();
  const auto* child = operand.get();
  return make(line, ast::Unary{ast::Unary::Op::kNot, std::move(operand)}, {child});
}

ExprPtr ExpressionParser::parse_compare() {
  const int line = tokens_.line();
  ast::Compare compare{parse_sum(), {}};
  std::uint32_t deepest = compare.first->depth;
  const ast::Expr* deepest_child = compare.first.get();
  while (true) {
    std::optional<CompareOp> op;
    for (const auto& [symbol, candidate] : kCompareOperators) {
      if (tokens_.at_operator(symbol)) op = candidate;
    }
    if (tokens_.at_name("in")) op = CompareOp::kIn;
    if (tokens_.at_name("not") && tokens_.at_name("in", 1)) {
      tokens_.next();
      op = CompareOp::kNotIn;
    }
    if (!op) break;
    tokens_.next();
    compare.rest.emplace_back(*op, parse_sum());
    if (compare.rest.back().second->depth > deepest) {
      deepest_child = compare.rest.back().second.get();
      deepest = deepest_child->depth;
    }
  }
  if (compare.rest.empty()) return std::move(compare.first);
  return make(line, std::move(compare), {deepest_child});
}

ExprPtr ExpressionParser::parse_sum() {
  ExprPtr left = parse_concat();
  while (tokens_.at_operator("+") || tokens_.at_operator("-")) {
    const int line = tokens_.line();
    const BinaryOp op = tokens_.next().text == "+" ? BinaryOp::kAdd : BinaryOp::kSubtract;
    ExprPtr right = parse_concat();
    const auto* first = left.get();
    const auto* second = right.get();
    left = make(line, ast::Binary{op, std::move(left), std::move(right)}, {first, second});
  }
  return left;
}

ExprPtr ExpressionParser::parse_concat() {
  const int line = tokens_.line();
  ast::Concat concat;
  concat.parts.push_back(parse_product());
  const ast::Expr* deepest = concat.parts.front().get();
  while (tokens_.skip_operator("~")) {
    concat.parts.push_back(parse_product());
    if (concat.parts.back()->depth > deepest->depth) deepest = concat.parts.back().get();
  }
  if (concat.parts.size() == 1) return std::move(concat.parts.front());
  return make(line, std::move(concat), {deepest});
}

ExprPtr ExpressionParser::parse_product() {
  ExprPtr left = parse_power();
  while (true) {
    std::optional<BinaryOp> op;
    for (const auto& [symbol, candidate] : kProductOperators) {
      if (tokens_.at_operator(symbol)) op = candidate;
    }
    if (!op) return left;
    const int line = tokens_.next().line;
    ExprPtr right = parse_power();
    const auto* first = left.get();
    const auto* second = right.get();
    left = make(line, ast::Binary{*op, std::move(left), std::move(right)}, {first, second});
  }
}

ExprPtr ExpressionParser::parse_power() {
  ExprPtr left = parse_unary(true);
  while (tokens_.at_operator("**")) {
    const int line = tokens_.next().line;
    ExprPtr right = parse_unary(true);
    const auto* first = left.get();
    const auto* second = right.get();
    left = make(line, ast::Binary{BinaryOp::kPower, std::move(left), std::move(right)},
                {first, second});
  }
  return left;
}

ExprPtr ExpressionParser::parse_unary(bool with_filter) {
  ExprPtr expression;
  if (tokens_.at_operator("-") || tokens_.at_operator("+")) {
    const int line = tokens_.line();
    const auto op = tokens_.next().text == "-" ? ast::Unary::Op::kMinus : ast::Unary::Op::kPlus;
    const NestingGuard guard(depth_, line);
    ExprPtr operand = parse_unary(false);
    const auto* child = operand.get();
    expression = make(line, ast::Unary{op, std::move(operand)}, {child});
  } else {
    expression = parse_primary();
  }
  expression = parse_postfix(std::move(expression));
  return with_filter ? parse_filter_tail(std::move(expression)) : std::move(expression);
}

ExprPtr ExpressionParser::parse_primary() {
  const Token& token = tokens_.peek();
  const int line = token.line;
  switch (token.type) {
    case TokenType::kName:
      return parse_name();
    case TokenType::kString: {
      std::string text = tokens_.next().text;
      while (tokens_.at(TokenType::kString)) text += tokens_.next().text;  // "a" "b" is "ab"
      return make(line, ast::Literal{Value::constant(std::move(text))});
    }
    case TokenType::kInteger:
      return make(line, ast::Literal{Value::integer(tokens_.next().integer)});
    case TokenType::kFloat:
      return make(line, ast::Literal{Value::real(tokens_.next().real)});
    default:
      break;
  }
  if (tokens_.skip_operator("(")) {
    ExprPtr inner = parse_tuple(true, {}, true);
    tokens_.expect_operator(")");
    return inner;
  }
  if (tokens_.at_operator("[")) return parse_list();
  if (tokens_.at_operator("{")) return parse_dict();
  tokens_.fail_expected("an expression");
}

ExprPtr ExpressionParser::parse_name() {
  const int line = tokens_.line();
  const std::string name = tokens_.next().text;
  if (name == "true" || name == "True") return make(line, ast::Literal{Value::boolean(true)});
  if (name == "false" || name == "False") {
    return make(line, ast::Literal{Value::boolean(false)});
  }
  if (name == "none" || name == "None") return make(line, ast::Literal{Value()});
  if (name == "caller") ++special_.caller;
  if (name == "varargs") ++special_.varargs;
  if (name == "kwargs") ++special_.kwargs;
  return make(line, ast::Name{name});
}

bool ExpressionParser::at_tuple_end(std::string_view end_name) const {
  return tokens_.at(TokenType::kPrintEnd) || tokens_.at(TokenType::kBlockEnd) ||
         tokens_.at_operator(")") || (!end_name.empty() && tokens_.at_name(end_name));
}

ExprPtr ExpressionParser::parse_tuple(bool with_conditional, std::string_view end_name,
                                      bool in_parentheses) {
  const int line = tokens_.line();
  ast::Sequence tuple{true, {}};
  bool has_comma = false;
  const ast::Expr* deepest = nullptr;
  while (!at_tuple_end(end_name)) {
    tuple.items.push_back(parse(with_conditional));
    if (deepest == nullptr || tuple.items.back()->depth > deepest->depth) {
      deepest = tuple.items.back().get();
    }
    if (!tokens_.skip_operator(",")) break;
    has_comma = true;
  }
  if (!has_comma && !tuple.items.empty()) return std::move(tuple.items.front());
  if (!has_comma && !in_parentheses) tokens_.fail_expected("an expression");
  return make(line, std::move(tuple), {deepest});
}

ExprPtr ExpressionParser::parse_list() {
  const int line = tokens_.next().line;
  ast::Sequence list{false, {}};
  const ast::Expr* deepest = nullptr;
  while (!tokens_.at_operator("]")) {
    if (!list.items.empty()) tokens_.expect_operator(",");
    if (tokens_.at_operator("]")) break;
    list.items.push_back(parse());
    if (deepest == nullptr || list.items.back()->depth > deepest->depth) {
      deepest = list.items.back().get();
    }
  }
  tokens_.expect_operator("]");
  return make(line, std::move(list), {deepest});
}

ExprPtr ExpressionParser::parse_dict() {
  const int line = tokens_.next().line;
  ast::Dict dict;
  const ast::Expr* deepest = nullptr;
  while (!tokens_.at_operator("}")) {
    if (!dict.items.empty()) tokens_.expect_operator(",");
    if (tokens_.at_operator("}")) break;
    ExprPtr key = parse();
    tokens_.expect_operator(":");
    ExprPtr value = parse();
    for (const ast::Expr* child : {key.get(), value.get()}) {
      if (deepest == nullptr || child->depth > deepest->depth) deepest = child;
    }
    dict.items.emplace_back(std::move(key), std::move(value));
  }
  tokens_.expect_operator("}");
  return make(line, std::move(dict), {deepest});
}

ExprPtr ExpressionParser::parse_postfix(ExprPtr base) {
  while (true) {
    if (tokens_.at_operator(".")) {
      base = parse_attribute(std::move(base));
    } else if (tokens_.at_operator("[")) {
      base = parse_subscript(std::move(base));
    } else if (tokens_.at_operator("(")) {
      base = parse_call(std::move(base));
    } else {
      return base;
    }
  }
}

ExprPtr ExpressionParser::parse_filter_tail(ExprPtr base) {
  while (true) {
    if (tokens_.at_operator("|")) {
      base = parse_filters(std::move(base));
    } else if (tokens_.at_name("is")) {
      base = parse_test(std::move(base));
    } else if (tokens_.at_operator("(")) {
      base = parse_call(std::move(base));
    } else {
      return base;
    }
  }
}

ExprPtr ExpressionParser::parse_attribute(ExprPtr base) {
  const int line = tokens_.next().line;
  const auto* child = base.get();
  if (tokens_.at(TokenType::kInteger)) {
    ExprPtr key = make(line, ast::Literal{Value::integer(tokens_.next().integer)});
    return make(line, ast::Subscript{std::move(base), std::move(key)}, {child});
  }
  const std::string name = tokens_.expect(TokenType::kName, "a name or number").text;
  return make(line, ast::Attribute{std::move(base), name}, {child});
}

ExprPtr ExpressionParser::parse_subscript(ExprPtr base) {
  const int line = tokens_.next().line;
  const auto* child = base.get();
  ast::Slice slice;
  if (!tokens_.at_operator(":")) {
    slice.start = parse();
    if (tokens_.at_operator(",")) {  // x[1, 2]: a tuple as key
      ast::Sequence tuple{true, {}};
      const ast::Expr* deepest = slice.start.get();
      tuple.items.push_back(std::move(slice.start));
      while (tokens_.skip_operator(",")) {
        if (tokens_.at_operator("]")) break;
        tuple.items.push_back(parse());
        if (tuple.items.back()->depth > deepest->depth) deepest = tuple.items.back().get();
      }
      slice.start = make(line, std::move(tuple), {deepest});
    }
    if (tokens_.skip_operator("]")) {
      const auto* key = slice.start.get();
      return make(line, ast::Subscript{std::move(base), std::move(slice.start)}, {child, key});
    }
  }
  tokens_.expect_operator(":");
  if (!tokens_.at_operator(":") && !tokens_.at_operator("]")) slice.stop = parse();
  if (tokens_.skip_operator(":") && !tokens_.at_operator("]")) slice.step = parse();
  tokens_.expect_operator("]");
  const auto* start = slice.start.get();
  const auto* stop = slice.stop.get();
  const auto* step = slice.step.get();
  slice.base = std::move(base);
  return make(line, std::move(slice), {child, start, stop, step});
}

std::uint32_t ExpressionParser::depth_of(const ast::CallArgs& args) {
  std::uint32_t depth = 0;
  for (const auto& value : args.positional) depth = std::max(depth, value->depth);
  for (const auto& [name, value] : args.named) depth = std::max(depth, value->depth);
  if (args.star) depth = std::max(depth, args.star->depth);
  if (args.double_star) depth = std::max(depth, args.double_star->depth);
  return depth;
}

ast::CallArgs ExpressionParser::parse_call_args() {
  const int line = tokens_.line();
  tokens_.expect_operator("(");
  ast::CallArgs args;
  bool first = true;
  const auto require = [&](bool valid) {
    if (!valid) {
      fail_at(line, ErrorCode::kCorrupt, "invalid syntax for function call expression");
    }
  };
  while (!tokens_.at_operator(")")) {
    if (!first) tokens_.expect_operator(",");
    if (tokens_.at_operator(")")) break;
    first = false;
    if (tokens_.skip_operator("*")) {
      require(!args.star && !args.double_star);
      args.star = parse();
    } else if (tokens_.skip_operator("**")) {
      require(!args.double_star);
      args.double_star = parse();
    } else if (tokens_.at(TokenType::kName) && tokens_.at_operator("=", 1)) {
      require(!args.double_star);
      const std::string name = tokens_.next().text;
      tokens_.next();
      for (const auto& [other, value] : args.named) require(other != name);
      args.named.emplace_back(name, parse());
    } else {
      require(!args.star && !args.double_star && args.named.empty());
      args.positional.push_back(parse());
    }
  }
  tokens_.expect_operator(")");
  return args;
}

ExprPtr ExpressionParser::parse_call(ExprPtr callee) {
  const int line = tokens_.line();
  ast::CallArgs args = parse_call_args();
  const std::uint32_t depth = std::max(callee->depth, depth_of(args));
  return make(line, ast::Call{std::move(callee), std::move(args)}, depth);
}

std::string ExpressionParser::parse_dotted_name() {
  std::string name = tokens_.expect(TokenType::kName, "a name").text;
  while (tokens_.skip_operator(".")) {
    name += '.';
    name += tokens_.expect(TokenType::kName, "a name").text;
  }
  return name;
}

ExprPtr ExpressionParser::parse_filters(ExprPtr input, bool named_first) {
  while (named_first || tokens_.at_operator("|")) {
    if (!named_first) tokens_.next();
    named_first = false;
    input = parse_filter(std::move(input));
  }
  return input;
}

void ExpressionParser::refuse_unknown(std::size_t from) const {
  if (from >= unknown_.size()) return;
  const Unknown& first = unknown_[from];
  fail_at(first.line, ErrorCode::kUnsupported, "no {} named '{}'", first.kind, first.name);
}

ExprPtr ExpressionParser::parse_filter(ExprPtr input) {
  const int line = tokens_.line();
  ast::Filter filter;
  filter.name = parse_dotted_name();
  filter.function = find_filter(filter.name);
  if (filter.function == nullptr) {
    unknown_.push_back({"filter", filter.name, line});
  }
  if (tokens_.at_operator("(")) filter.args = parse_call_args();
  const std::uint32_t depth = std::max(input ? input->depth : 0, depth_of(filter.args));
  filter.input = std::move(input);
  return make(line, std::move(filter), depth);
}

ExprPtr ExpressionParser::parse_test(ExprPtr input) {
  const int line = tokens_.next().line;
  const bool negated = tokens_.skip_name("not");
  ast::Test test;
  test.name = parse_dotted_name();
  test.function = find_test(test.name);
  if (test.function == nullptr) {
    unknown_.push_back({"test", test.name, line});
  }
  const TokenType type = tokens_.peek().type;
  if (tokens_.at_operator("(")) {
    test.args = parse_call_args();
  } else if ((type == TokenType::kName || type == TokenType::kString ||
              type == TokenType::kInteger || type == TokenType::kFloat ||
              tokens_.at_operator("[") || tokens_.at_operator("{")) &&
             !tokens_.at_name("else") && !tokens_.at_name("or") && !tokens_.at_name("and")) {
    if (tokens_.at_name("is")) {
      fail_at(line, ErrorCode::kCorrupt, "you cannot chain multiple tests with is");
    }
    const NestingGuard guard(depth_, line);
    test.args.positional.push_back(parse_postfix(parse_primary()));
  }
  const std::uint32_t depth = std::max(input->depth, depth_of(test.args));
  test.input = std::move(input);
  ExprPtr expression = make(line, std::move(test), depth);
  if (!negated) return expression;
  const auto* child = expression.get();
  return make(line, ast::Unary{ast::Unary::Op::kNot, std::move(expression)}, {child});
}

}  // namespace hangar::jinja
