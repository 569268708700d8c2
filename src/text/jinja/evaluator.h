// The evaluator: walks a template's tree and writes its text.
//
// Promise: Jinja2's scopes: `for`, `with`, blocks that are set, and macros have their own names,
// `if`
//   has not; a macro sees the names around its definition as they are when it is called.
// Errors: TemplateFailure; line() is where the evaluator was.
// Threads: one render's. Recursion is bounded by the limits, so the stack is too.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/heap.h"
#include "text/jinja/scope.h"

namespace hangar::jinja {

class LoopObject;
class MacroObject;

class Evaluator {
 public:
  // context is a dict: what the template's names mean where it has not set them itself.
  Evaluator(Heap& heap, Value context);
  ~Evaluator();
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  std::string run(const ast::Body& root);
  int line() const { return line_; }

  // For the objects that call back into the template.
  Value call_macro(const MacroObject& macro, const Args& args);
  Value recurse_loop(const LoopObject& loop, const Args& args);

 private:
  enum class Flow : std::uint8_t { kNormal, kBreak, kContinue };
  class DepthGuard;
  class CallGuard;
  class ScopeGuard;

  // evaluator_statements.cc
  Flow exec(const ast::Block& block);
  Flow exec(const ast::Body& body);  // in a scope that is new
  Flow exec_one(const ast::Stmt& statement);
  Flow exec_node(const ast::Text& node);
  Flow exec_node(const ast::Print& node);
  Flow exec_node(const ast::For& node);
  Flow exec_node(const ast::If& node);
  Flow exec_node(const ast::Set& node);
  Flow exec_node(const ast::SetBlock& node);
  Flow exec_node(const ast::Macro& node);
  Flow exec_node(const ast::CallBlock& node);
  Flow exec_node(const ast::FilterBlock& node);
  Flow exec_node(const ast::With& node);
  Flow exec_node(const ast::Generation& node);
  Flow exec_node(const ast::Break& node);
  Flow exec_node(const ast::Continue& node);
  void run_loop(const ast::For& node, const Value& iterable, Scope* outer, std::uint32_t depth);
  LoopObject* take_loop();
  void emit(std::string_view text);
  std::string capture(const ast::Body& body, Flow* flow = nullptr);
  void assign(const ast::Target& target, const Value& value);
  Value make_macro(const ast::Macro& macro);

  // evaluator.cc
  Value eval(const ast::Expr& expression);
  Value eval_node(const ast::Literal& node);
  Value eval_node(const ast::Name& node);
  Value eval_node(const ast::Sequence& node);
  Value eval_node(const ast::Dict& node);
  Value eval_node(const ast::Attribute& node);
  Value eval_node(const ast::Subscript& node);
  Value eval_node(const ast::Slice& node);
  Value eval_node(const ast::Call& node);
  Value eval_node(const ast::Filter& node);
  Value eval_node(const ast::Test& node);
  Value eval_node(const ast::Unary& node);
  Value eval_node(const ast::Binary& node);
  Value eval_node(const ast::Logical& node);
  Value eval_node(const ast::Compare& node);
  Value eval_node(const ast::Concat& node);
  Value eval_node(const ast::Conditional& node);
  Value call(const ast::Call& node, Args args);
  Value base_of(const ast::Expr& expression);
  Args eval_args(const ast::CallArgs& args);
  Value apply_filters(const ast::Expr& filter, const Value& input);
  Value look_up(std::string_view name);

  Heap& heap_;
  Value context_;
  ScopePool scopes_;
  Scope* scope_ = nullptr;
  std::vector<LoopObject*> idle_loops_;
  std::string* out_ = nullptr;
  std::size_t output_bytes_ = 0;  // in all buffers that are being written
  int line_ = 0;
  std::uint32_t depth_ = 0;       // of nested eval and exec
  std::uint32_t call_depth_ = 0;  // of macros and recursive loops
};

}  // namespace hangar::jinja
