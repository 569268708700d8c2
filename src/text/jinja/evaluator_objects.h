// The objects that call back into the evaluator: macros and loops; and its guards.
//
// Promise: `loop` has Jinja2's attributes; asking for the length or the next item of a filtered
// loop
//   runs the filter ahead, as Jinja2 does.
// Errors: thrown.
// Threads: one render's.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/evaluator.h"
#include "text/jinja/object.h"

namespace hangar::jinja {

class MacroObject final : public Object {
 public:
  MacroObject(Evaluator& evaluator, const ast::Macro& macro, Scope* closure)
      : evaluator_(evaluator), macro_(macro), closure_(closure) {}
  std::string_view type_name() const override { return "Macro"; }
  bool is_callable() const override { return true; }
  Value call(Heap& /*heap*/, const Args& args) override {
    return evaluator_.call_macro(*this, args);
  }
  std::optional<Value> attribute(Heap& heap, std::string_view name) override;
  std::string repr(Heap& heap, std::uint32_t depth) const override;
  const ast::Macro& macro() const { return macro_; }
  Scope* closure() const { return closure_; }

 private:
  Evaluator& evaluator_;
  const ast::Macro& macro_;
  Scope* closure_;
};

class LoopObject final : public Object {
 public:
  using Filter = std::function<bool(const Value&)>;
  explicit LoopObject(Evaluator& evaluator) : evaluator_(evaluator) {}

  void start(const ast::For& node, std::shared_ptr<const ListRep> source, Filter filter,
             Scope* outer, std::uint32_t depth0);
  bool advance();  // to the next item; false: there is none
  void finish();
  const Value& current() const { return current_; }
  const ast::For& node() const { return *node_; }
  Scope* outer() const { return outer_; }
  std::uint32_t depth0() const { return depth0_; }
  bool escaped() const { return escaped_; }
  void mark_escaped() { escaped_ = true; }

  std::string_view type_name() const override { return "LoopContext"; }
  bool is_callable() const override { return true; }
  Value call(Heap& /*heap*/, const Args& args) override {
    return evaluator_.recurse_loop(*this, args);
  }
  std::optional<Value> attribute(Heap& heap, std::string_view name) override;
  std::optional<std::int64_t> length(Heap& heap) override;
  std::string repr(Heap& heap, std::uint32_t depth) const override;
  Value cycle(const Args& args) const;
  Value changed(Heap& heap, const Args& args);

 private:
  std::optional<Value> fetch();
  bool peek();  // fills after_; false: this is the last

  Evaluator& evaluator_;
  const ast::For* node_ = nullptr;
  Scope* outer_ = nullptr;
  std::shared_ptr<const ListRep> source_;
  std::vector<Value> rest_;  // what a filtered loop holds once its length was asked for
  bool drained_ = false;
  std::size_t next_ = 0;
  Filter filter_;
  std::uint32_t depth0_ = 0;
  std::int64_t index0_ = -1;
  std::optional<std::int64_t> length_;
  Value current_;
  Value before_;
  std::optional<Value> after_;
  std::optional<std::vector<Value>> last_changed_;
  bool escaped_ = false;  // a value other than the name `loop` holds it
};

// Counts nested eval and exec: a deep tree times deep macros must not exhaust the stack.
class Evaluator::DepthGuard {
 public:
  explicit DepthGuard(Evaluator& evaluator) : evaluator_(evaluator) {
    const std::uint32_t most = ast::kMaxDepth + 8 * evaluator_.heap_.meter().limits().depth;
    if (evaluator_.depth_ >= most) {
      fail(ErrorCode::kResourceExhausted, "the template's calls nest too deep");
    }
    ++evaluator_.depth_;
  }
  ~DepthGuard() { --evaluator_.depth_; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;

 private:
  Evaluator& evaluator_;
};

class Evaluator::CallGuard {
 public:
  explicit CallGuard(Evaluator& evaluator) : evaluator_(evaluator) {
    const std::uint32_t most = evaluator_.heap_.meter().limits().depth;
    if (evaluator_.call_depth_ >= most) {
      fail(ErrorCode::kResourceExhausted, "the template's calls nest deeper than {}", most);
    }
    ++evaluator_.call_depth_;
  }
  ~CallGuard() { --evaluator_.call_depth_; }
  CallGuard(const CallGuard&) = delete;
  CallGuard& operator=(const CallGuard&) = delete;

 private:
  Evaluator& evaluator_;
};

// A fresh scope, for as long as this lives.
class Evaluator::ScopeGuard {
 public:
  ScopeGuard(Evaluator& evaluator, Scope* parent)
      : evaluator_(evaluator), outer_(evaluator.scope_), scope_(evaluator.scopes_.take(parent)) {
    evaluator_.scope_ = scope_;
  }
  ~ScopeGuard() {
    evaluator_.scope_ = outer_;
    evaluator_.scopes_.give_back(scope_);
  }
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

 private:
  Evaluator& evaluator_;
  Scope* outer_;
  Scope* scope_;
};

}  // namespace hangar::jinja
