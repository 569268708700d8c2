// Scope: the names that one loop pass, macro call or block has set, and where to look next.
//
// Promise: a scope that a macro was defined in lives to the render's end; others are used again.
// Errors: none.
// Threads: one render's.
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/meter.h"
#include "text/jinja/value.h"

namespace hangar::jinja {

struct Scope {
  Scope* parent = nullptr;
  bool captured = false;
  // Names are those of the tree, which outlives the render.
  std::vector<std::pair<std::string_view, Value>> names;

  void set(std::string_view name, Value value) {
    for (auto& [key, place] : names) {
      if (key == name) {
        place = std::move(value);
        return;
      }
    }
    names.emplace_back(name, std::move(value));
  }
  // Here or further out; nullptr: nowhere.
  const Value* find(std::string_view name) const {
    for (const Scope* scope = this; scope != nullptr; scope = scope->parent) {
      for (const auto& [key, value] : scope->names) {
        if (key == name) return &value;
      }
    }
    return nullptr;
  }
  void capture() {
    for (Scope* scope = this; scope != nullptr && !scope->captured; scope = scope->parent) {
      scope->captured = true;
    }
  }
};

class ScopePool {
 public:
  explicit ScopePool(Meter& meter) : meter_(meter) {}

  Scope* take(Scope* parent) {
    if (idle_.empty()) {
      meter_.allocate(kScopeBytes);
      all_.push_back(std::make_unique<Scope>());
      idle_.push_back(all_.back().get());
    }
    Scope* scope = idle_.back();
    idle_.pop_back();
    scope->parent = parent;
    return scope;
  }
  void give_back(Scope* scope) {
    if (scope->captured) return;
    scope->names.clear();
    idle_.push_back(scope);
  }

 private:
  static constexpr std::size_t kScopeBytes = 256;
  Meter& meter_;
  std::vector<std::unique_ptr<Scope>> all_;
  std::vector<Scope*> idle_;
};

}  // namespace hangar::jinja
