// Statements: text out, loops, conditions, assignments, macros.
#include <algorithm>

#include "text/jinja/access.h"
#include "text/jinja/evaluator.h"
#include "text/jinja/evaluator_objects.h"
#include "text/jinja/objects.h"
#include "text/jinja/text_form.h"

namespace hangar::jinja {

std::string Evaluator::run(const ast::Body& root) {
  const ScopeGuard scope(*this, nullptr);
  std::string out;
  out_ = &out;
  exec(root);
  return out;
}

Evaluator::Flow Evaluator::exec(const ast::Body& body) {
  for (const std::string& name : body.hidden) {
    scope_->set(name, heap_.undefined(fmt::format("'{}' is undefined", name)));
  }
  return exec(body.statements);
}

Evaluator::Flow Evaluator::exec(const ast::Block& block) {
  for (const ast::Stmt& statement : block) {
    const Flow flow = exec_one(statement);
    if (flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::exec_one(const ast::Stmt& statement) {
  const DepthGuard guard(*this);
  heap_.meter().step();
  line_ = statement.line;
  return std::visit([this](const auto& node) { return exec_node(node); }, statement.node);
}

void Evaluator::emit(std::string_view text) {
  heap_.meter().scan(text.size());
  output_bytes_ += text.size();
  if (output_bytes_ > heap_.meter().limits().output_bytes) {
    fail(ErrorCode::kResourceExhausted, "the template writes more than {} bytes",
         heap_.meter().limits().output_bytes);
  }
  *out_ += text;
}

// What a block writes, as a string of its own. Names that it sets are its own as well.
std::string Evaluator::capture(const ast::Body& body, Flow* flow) {
  std::string text;
  std::string* outer = std::exchange(out_, &text);
  const std::size_t outer_bytes = output_bytes_;
  const Flow end = exec(body);
  if (flow != nullptr) *flow = end;
  out_ = outer;
  output_bytes_ = outer_bytes;
  return text;
}

Evaluator::Flow Evaluator::exec_node(const ast::Text& node) {
  emit(node.text);
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::exec_node(const ast::Print& node) {
  for (const auto& expression : node.values) {
    const Value value = eval(*expression);
    if (value.is_string()) {
      emit(value.as_text());
    } else {
      emit(to_text(heap_, value));
    }
  }
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::exec_node(const ast::If& node) {
  for (const auto& [condition, body] : node.branches) {
    if (is_true(eval(*condition))) return exec(body);
  }
  return exec(node.otherwise);
}

Evaluator::Flow Evaluator::exec_node(const ast::For& node) {
  const Value iterable = eval(*node.iterable);
  if (!node.recursive) {
    run_loop(node, iterable, scope_, 0);
    return Flow::kNormal;
  }
  const CallGuard guard(*this);
  run_loop(node, iterable, scope_, 0);
  return Flow::kNormal;
}

LoopObject* Evaluator::take_loop() {
  if (idle_loops_.empty()) return heap_.make<LoopObject>(*this);
  LoopObject* loop = idle_loops_.back();
  idle_loops_.pop_back();
  return loop;
}

void Evaluator::run_loop(const ast::For& node, const Value& iterable, Scope* outer,
                         std::uint32_t depth) {
  LoopObject::Filter filter;
  if (node.test) {
    filter = [this, &node, outer](const Value& item) {
      const ScopeGuard scope(*this, outer);
      assign(node.target, item);
      return is_true(eval(*node.test));
    };
  }
  LoopObject* loop = take_loop();
  loop->start(node, iterate(heap_, iterable), std::move(filter), outer, depth);
  bool ran = false;
  while (loop->advance()) {
    heap_.meter().step();
    const ScopeGuard scope(*this, outer);
    scope_->set("loop", Value::object(loop));
    assign(node.target, loop->current());
    const Flow flow = exec(node.body);
    if (scope_->captured) loop->mark_escaped();
    if (flow == Flow::kBreak) break;
    // Jinja2 marks it at the body's end: a loop whose every round is broken off goes on with
    // `else`.
    ran = ran || flow == Flow::kNormal;
  }
  loop->finish();
  if (!loop->escaped()) idle_loops_.push_back(loop);
  if (!ran && !node.otherwise.statements.empty()) {
    const ScopeGuard scope(*this, outer);
    exec(node.otherwise);
  }
}

Value Evaluator::recurse_loop(const LoopObject& loop, const Args& args) {
  if (!loop.node().recursive) {
    fail_type("The loop must have the 'recursive' marker to be called recursively.");
  }
  if (args.positional.size() != 1 || !args.named.empty()) {
    fail_type("a recursive loop takes one argument");
  }
  const CallGuard guard(*this);
  std::string text;
  std::string* outer = std::exchange(out_, &text);
  const std::size_t outer_bytes = output_bytes_;
  run_loop(loop.node(), args.positional[0], loop.outer(), loop.depth0() + 1);
  out_ = outer;
  output_bytes_ = outer_bytes;
  return heap_.string(std::move(text));
}

void Evaluator::assign(const ast::Target& target, const Value& value) {
  switch (target.form) {
    case ast::Target::Form::kName:
      scope_->set(target.name, value);
      return;
    case ast::Target::Form::kNamespace: {
      const Value base = look_up(target.name);
      auto* space = base.is(Kind::kObject) ? dynamic_cast<Namespace*>(base.as_object()) : nullptr;
      if (space == nullptr) fail_type("cannot assign attribute on non-namespace object");
      space->set(heap_, target.attribute, value);
      return;
    }
    case ast::Target::Form::kTuple:
      break;
  }
  if (!is_iterable(value)) fail_type("cannot unpack non-iterable {} object", type_name(value));
  const auto parts = iterate(heap_, value);
  const std::size_t wanted = target.items.size();
  if (parts->items.size() > wanted) {
    fail_type("too many values to unpack (expected {})", wanted);
  }
  if (parts->items.size() < wanted) {
    fail_type("not enough values to unpack (expected {}, got {})", wanted, parts->items.size());
  }
  for (std::size_t i = 0; i < wanted; ++i) assign(target.items[i], parts->items[i]);
}

Evaluator::Flow Evaluator::exec_node(const ast::Set& node) {
  assign(node.target, eval(*node.value));
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::exec_node(const ast::SetBlock& node) {
  Flow flow = Flow::kNormal;
  Value text;
  {
    const ScopeGuard scope(*this, scope_);
    text = heap_.string(capture(node.body, &flow));
  }
  if (flow != Flow::kNormal) return flow;
  assign(node.target, node.filter ? apply_filters(*node.filter, text) : text);
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::exec_node(const ast::FilterBlock& node) {
  Flow flow = Flow::kNormal;
  Value text;
  {
    const ScopeGuard scope(*this, scope_);
    text = heap_.string(capture(node.body, &flow));
  }
  if (flow != Flow::kNormal) return flow;
  const Value filtered = apply_filters(*node.filter, text);
  // Jinja2 joins what such a block gives without making text of it.
  if (!filtered.is_string()) {
    fail_type("sequence item 0: expected str instance, {} found", type_name(filtered));
  }
  emit(filtered.as_text());
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::exec_node(const ast::With& node) {
  // All values belong to the scope outside: none sees another's name.
  std::vector<Value> values;
  for (const auto& [target, expression] : node.assignments) values.push_back(eval(*expression));
  const ScopeGuard scope(*this, scope_);
  for (std::size_t i = 0; i < values.size(); ++i) assign(node.assignments[i].first, values[i]);
  return exec(node.body);
}

Evaluator::Flow Evaluator::exec_node(const ast::Generation& node) {
  const ScopeGuard scope(*this, scope_);
  return exec(node.body);
}

Evaluator::Flow Evaluator::exec_node(const ast::Break& /*node*/) {
  return Flow::kBreak;
}
Evaluator::Flow Evaluator::exec_node(const ast::Continue& /*node*/) {
  return Flow::kContinue;
}

Value Evaluator::make_macro(const ast::Macro& macro) {
  scope_->capture();
  return Value::object(heap_.make<MacroObject>(*this, macro, scope_));
}

Evaluator::Flow Evaluator::exec_node(const ast::Macro& node) {
  const Value macro = make_macro(node);
  scope_->set(node.name, macro);
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::exec_node(const ast::CallBlock& node) {
  Args extra;
  extra.named.emplace_back("caller", make_macro(node.caller));
  const Value result = call(std::get<ast::Call>(node.call->node), std::move(extra));
  emit(to_text(heap_, result));
  return Flow::kNormal;
}

Value Evaluator::call_macro(const MacroObject& object, const Args& args) {
  const CallGuard guard(*this);
  const ast::Macro& macro = object.macro();
  const ast::Signature& signature = macro.signature;
  const std::size_t count = signature.names.size();
  if (args.positional.size() > count && !signature.uses_varargs) {
    fail_type("macro '{}' takes not more than {} argument(s)", macro.name, count);
  }
  std::vector<bool> taken(args.named.size(), false);
  const auto take_named = [&](std::string_view name) -> const Value* {
    for (std::size_t i = 0; i < args.named.size(); ++i) {
      if (args.named[i].first != name) continue;
      taken[i] = true;
      return &args.named[i].second;
    }
    return nullptr;
  };
  const ScopeGuard scope(*this, object.closure());
  const std::size_t first_default = count - signature.defaults.size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& name = signature.names[i];
    if (i < args.positional.size()) {
      scope_->set(name, args.positional[i]);
    } else if (const Value* named = take_named(name)) {
      scope_->set(name, *named);
    } else if (i >= first_default) {
      scope_->set(name, eval(*signature.defaults[i - first_default]));
    } else {
      scope_->set(name, heap_.undefined(fmt::format("parameter '{}' was not provided", name)));
    }
  }
  if (signature.uses_caller &&
      scope_->names.end() == std::find_if(scope_->names.begin(), scope_->names.end(),
                                          [](const auto& n) { return n.first == "caller"; })) {
    const Value* caller = take_named("caller");
    scope_->set("caller", caller != nullptr ? *caller : heap_.undefined("No caller defined"));
  }
  if (signature.uses_varargs) {
    std::vector<Value> rest;
    for (std::size_t i = count; i < args.positional.size(); ++i) rest.push_back(args.positional[i]);
    scope_->set("varargs", heap_.list(std::move(rest), ListFlavor::kTuple));
  }
  const auto kwargs = heap_.new_dict();
  for (std::size_t i = 0; i < args.named.size(); ++i) {
    if (taken[i]) continue;
    const std::string& name = args.named[i].first;
    if (!signature.uses_kwargs) {
      fail_type("macro '{}' takes no keyword argument '{}'", macro.name, name);
    }
    kwargs->set(heap_.string(std::string_view(name)), args.named[i].second);
  }
  if (signature.uses_kwargs) scope_->set("kwargs", Heap::finish(kwargs));
  const int line = line_;
  Value text = heap_.string(capture(macro.body));
  line_ = line;
  return text;
}

}  // namespace hangar::jinja
