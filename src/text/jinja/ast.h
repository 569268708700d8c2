// The tree that the parser makes of a template: expressions and statements, each with its line.
//
// Promise: no tree is deeper than kMaxDepth, so that walking or freeing one can't exhaust the
// stack;
//   filters and tests are already looked up.
// Errors: none of its own.
// Threads: const after parsing; shared by all renders.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja/filters.h"
#include "text/jinja/is_tests.h"
#include "text/jinja/operators.h"
#include "text/jinja/value.h"

namespace hangar::jinja::ast {

inline constexpr std::uint32_t kMaxDepth = 256;

struct Expr;
struct Stmt;
using ExprPtr = std::unique_ptr<Expr>;
using Block = std::vector<Stmt>;

struct CallArgs {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> named;
  ExprPtr star;         // *args
  ExprPtr double_star;  // **kwargs
};

struct Literal {
  Value value;
};
struct Name {
  std::string name;
};
struct Sequence {
  bool is_tuple = false;
  std::vector<ExprPtr> items;
};
struct Dict {
  std::vector<std::pair<ExprPtr, ExprPtr>> items;
};
struct Attribute {
  ExprPtr base;
  std::string name;
};
struct Subscript {
  ExprPtr base;
  ExprPtr key;
};
struct Slice {  // base[start:stop:step]; what is left out is null
  ExprPtr base, start, stop, step;
};
struct Call {
  ExprPtr callee;
  CallArgs args;
};
struct Filter {
  ExprPtr input;  // null in {% filter %} and {% set %}: the block's text goes in
  std::string name;
  FilterFunction function = nullptr;
  CallArgs args;
};
struct Test {
  ExprPtr input;
  std::string name;
  TestFunction function = nullptr;
  CallArgs args;
};
struct Unary {
  enum class Op : std::uint8_t { kNot, kMinus, kPlus };
  Op op;
  ExprPtr operand;
};
struct Binary {
  BinaryOp op;
  ExprPtr left, right;
};
struct Logical {
  bool is_and;
  ExprPtr left, right;
};
struct Compare {
  ExprPtr first;
  std::vector<std::pair<CompareOp, ExprPtr>> rest;
};
struct Concat {
  std::vector<ExprPtr> parts;
};
struct Conditional {
  ExprPtr condition, then, otherwise;  // otherwise may be null
};

struct Expr {
  using Node = std::variant<Literal, Name, Sequence, Dict, Attribute, Subscript, Slice, Call,
                            Filter, Test, Unary, Binary, Logical, Compare, Concat, Conditional>;
  int line = 0;
  std::uint32_t depth = 1;
  Node node;
};

// What `set`, `for` and `with` assign to.
struct Target {
  enum class Form : std::uint8_t { kName, kNamespace, kTuple };
  Form form = Form::kName;
  std::string name;
  std::string attribute;      // kNamespace
  std::vector<Target> items;  // kTuple
};

struct Signature {
  std::vector<std::string> names;
  std::vector<ExprPtr> defaults;  // of the last names
  bool uses_caller = false;
  bool uses_varargs = false;
  bool uses_kwargs = false;
};

// Statements with a scope of their own.
struct Body {
  Block statements;
  std::vector<std::string> hidden;  // see scoping.h
};

struct Text {
  std::string text;
};
struct Print {
  std::vector<ExprPtr> values;
};
struct For {
  Target target;
  ExprPtr iterable;
  ExprPtr test;  // null: none
  bool recursive = false;
  Body body;
  Body otherwise;
};
struct If {
  std::vector<std::pair<ExprPtr, Block>> branches;
  Block otherwise;
};
struct Set {
  Target target;
  ExprPtr value;
};
struct SetBlock {
  Target target;
  ExprPtr filter;  // a chain of Filter whose innermost input is null; or null
  Body body;
};
struct Macro {
  std::string name;
  Signature signature;
  Body body;
};
struct CallBlock {
  ExprPtr call;  // its node is a Call
  Macro caller;
};
struct FilterBlock {
  ExprPtr filter;
  Body body;
};
struct With {
  std::vector<std::pair<Target, ExprPtr>> assignments;
  Body body;
};
struct Generation {  // marks what the assistant said; only its text matters here
  Body body;
};
struct Break {};
struct Continue {};

struct Stmt {
  using Node = std::variant<Text, Print, For, If, Set, SetBlock, Macro, CallBlock, FilterBlock,
                            With, Generation, Break, Continue>;
  int line = 0;
  Node node;
};

}  // namespace hangar::jinja::ast
