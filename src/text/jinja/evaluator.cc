// Expressions. Statements are in evaluator_statements.cc.
#include "text/jinja/evaluator.h"

#include "text/jinja/access.h"
#include "text/jinja/evaluator_objects.h"
#include "text/jinja/globals.h"
#include "text/jinja/methods.h"
#include "text/jinja/objects.h"
#include "text/jinja/operators.h"
#include "text/jinja/text_form.h"

namespace hangar::jinja {

Evaluator::Evaluator(Heap& heap, Value context)
    : heap_(heap), context_(std::move(context)), scopes_(heap.meter()) {}

Evaluator::~Evaluator() = default;

Value Evaluator::eval(const ast::Expr& expression) {
  const DepthGuard guard(*this);
  heap_.meter().step();
  line_ = expression.line;
  return std::visit([this](const auto& node) { return eval_node(node); }, expression.node);
}

Value Evaluator::look_up(std::string_view name) {
  heap_.meter().step();
  if (const Value* found = scope_->find(name)) return *found;
  if (const Value* found = context_.as_dict().find(name)) return *found;
  if (const Global* global = find_global(name)) {
    return Value::object(heap_.make<BuiltinFunction>(global->name, global->function));
  }
  return heap_.undefined(fmt::format("'{}' is undefined", name));
}

Value Evaluator::eval_node(const ast::Literal& node) {
  return node.value;
}

Value Evaluator::eval_node(const ast::Name& node) {
  Value value = look_up(node.name);
  // From here on another name may hold the loop: it can't be used again for the next one.
  if (value.is(Kind::kObject)) {
    if (auto* loop = dynamic_cast<LoopObject*>(value.as_object())) loop->mark_escaped();
  }
  return value;
}

// The value of what stands before a dot or a parenthesis: a name read so is only looked at.
Value Evaluator::base_of(const ast::Expr& expression) {
  const auto* name = std::get_if<ast::Name>(&expression.node);
  if (name == nullptr) return eval(expression);
  line_ = expression.line;
  return look_up(name->name);
}

Value Evaluator::eval_node(const ast::Sequence& node) {
  std::vector<Value> items;
  items.reserve(node.items.size());
  for (const auto& item : node.items) items.push_back(eval(*item));
  return heap_.list(std::move(items), node.is_tuple ? ListFlavor::kTuple : ListFlavor::kList);
}

Value Evaluator::eval_node(const ast::Dict& node) {
  const auto dict = heap_.new_dict();
  for (const auto& [key, value] : node.items) {
    Value key_value = eval(*key);
    dict->set(std::move(key_value), eval(*value));
  }
  return Heap::finish(dict);
}

Value Evaluator::eval_node(const ast::Attribute& node) {
  const int line = line_;
  const Value base = base_of(*node.base);
  line_ = line;
  return get_attribute(heap_, base, node.name);
}

Value Evaluator::eval_node(const ast::Subscript& node) {
  const int line = line_;
  const Value base = base_of(*node.base);
  const Value key = eval(*node.key);
  line_ = line;
  return get_item(heap_, base, key);
}

Value Evaluator::eval_node(const ast::Slice& node) {
  const int line = line_;
  const Value base = eval(*node.base);
  const Value start = node.start ? eval(*node.start) : Value();
  const Value stop = node.stop ? eval(*node.stop) : Value();
  const Value step = node.step ? eval(*node.step) : Value();
  line_ = line;
  return get_slice(heap_, base, start, stop, step);
}

Args Evaluator::eval_args(const ast::CallArgs& given) {
  Args args;
  args.positional.reserve(given.positional.size());
  for (const auto& value : given.positional) args.positional.push_back(eval(*value));
  for (const auto& [name, value] : given.named) args.named.emplace_back(name, eval(*value));
  if (given.star) {
    const auto more = iterate(heap_, eval(*given.star));
    heap_.meter().step(more->items.size());
    args.positional.insert(args.positional.end(), more->items.begin(), more->items.end());
  }
  if (given.double_star) {
    const Value more = eval(*given.double_star);
    if (!more.is_dict()) fail_type("argument after ** must be a mapping, not {}", type_name(more));
    for (const auto& [key, value] : more.as_dict().entries()) {
      if (!key.is_string()) fail_type("keywords must be strings");
      for (const auto& [name, other] : args.named) {
        heap_.meter().step();
        if (name == key.as_text()) fail_type("got multiple values for argument '{}'", name);
      }
      args.named.emplace_back(std::string(key.as_text()), value);
    }
  }
  return args;
}

Value Evaluator::eval_node(const ast::Call& node) {
  return call(node, {});
}

// `extra` holds what {% call %} adds: the caller.
Value Evaluator::call(const ast::Call& node, Args extra) {
  const int line = line_;
  const auto with_extra = [&](Args args) {
    for (auto& named : extra.named) args.named.push_back(std::move(named));
    return args;
  };
  if (const auto* attribute = std::get_if<ast::Attribute>(&node.callee->node)) {
    // x.method(...): no object is made for the method.
    const Value base = base_of(*attribute->base);
    if (const Method method = find_method(base, attribute->name)) {
      const Args args = with_extra(eval_args(node.args));
      line_ = line;
      heap_.meter().step();
      return method(heap_, base, args);
    }
    line_ = line;
    const Value callee = get_attribute(heap_, base, attribute->name);
    const Args args = with_extra(eval_args(node.args));
    line_ = line;
    return call_value(heap_, callee, args);
  }
  if (const auto* name = std::get_if<ast::Name>(&node.callee->node)) {
    // A global called by its name: no object is made for the function.
    const Global* global = find_global(name->name);
    if (global != nullptr && scope_->find(name->name) == nullptr &&
        context_.as_dict().find(std::string_view(name->name)) == nullptr) {
      const Args args = with_extra(eval_args(node.args));
      line_ = line;
      return global->function(heap_, args);
    }
  }
  const Value callee = base_of(*node.callee);
  const Args args = with_extra(eval_args(node.args));
  line_ = line;
  return call_value(heap_, callee, args);
}

namespace {

FilterFunction function_of(const ast::Filter& node) {
  if (node.function == nullptr) fail_type("No filter named '{}' found.", node.name);
  return node.function;
}

}  // namespace

Value Evaluator::eval_node(const ast::Filter& node) {
  const int line = line_;
  const Value input = eval(*node.input);
  const Args args = eval_args(node.args);
  line_ = line;
  return function_of(node)(heap_, input, args);
}

// A chain of filters whose innermost input is the text of a block.
Value Evaluator::apply_filters(const ast::Expr& filter, const Value& input) {
  const DepthGuard guard(*this);
  const auto& node = std::get<ast::Filter>(filter.node);
  const Value inner = node.input ? apply_filters(*node.input, input) : input;
  const Args args = eval_args(node.args);
  line_ = filter.line;
  return function_of(node)(heap_, inner, args);
}

Value Evaluator::eval_node(const ast::Test& node) {
  const int line = line_;
  const Value input = eval(*node.input);
  const Args args = eval_args(node.args);
  line_ = line;
  if (node.function == nullptr) fail_type("No test named '{}' found.", node.name);
  return Value::boolean(node.function(heap_, input, args));
}

Value Evaluator::eval_node(const ast::Unary& node) {
  const int line = line_;
  const Value operand = eval(*node.operand);
  line_ = line;
  switch (node.op) {
    case ast::Unary::Op::kNot:
      return Value::boolean(!is_true(operand));
    case ast::Unary::Op::kMinus:
      return negate(operand);
    case ast::Unary::Op::kPlus:
      return plus(operand);
  }
  return Value();
}

Value Evaluator::eval_node(const ast::Binary& node) {
  const int line = line_;
  const Value left = eval(*node.left);
  const Value right = eval(*node.right);
  line_ = line;
  return binary(heap_, node.op, left, right);
}

Value Evaluator::eval_node(const ast::Logical& node) {
  Value left = eval(*node.left);
  if (is_true(left) != node.is_and) return left;
  return eval(*node.right);
}

Value Evaluator::eval_node(const ast::Compare& node) {
  const int line = line_;
  Value left = eval(*node.first);
  for (const auto& [op, expression] : node.rest) {
    Value right = eval(*expression);
    line_ = line;
    if (!compare(heap_, op, left, right)) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Evaluator::eval_node(const ast::Concat& node) {
  std::string text;
  for (const auto& part : node.parts) append_text(heap_, text, eval(*part));
  return heap_.string(std::move(text));
}

Value Evaluator::eval_node(const ast::Conditional& node) {
  const int line = line_;
  if (is_true(eval(*node.condition))) return eval(*node.then);
  if (node.otherwise) return eval(*node.otherwise);
  return heap_.undefined(
      fmt::format("the inline if-expression on line {} evaluated to false and no else section was "
                  "defined.",
                  line));
}

}  // namespace hangar::jinja
