// Value: what a template computes with, under Python's rules for types.
//
// Promise: a Value is small and copied by reference count. Strings, lists and dicts never change
// after
//   they are made, so they can hold no cycle; what can change (namespaces, loops, macros) is an
//   Object, owned by the render's Heap and only pointed to.
// Errors: as_*() asks for the right kind; the caller checks kind() before.
// Threads: a Value that came from parsing may be shared; all others belong to one render.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace hangar::jinja {

class Meter;
class Object;
struct UndefinedRep;
struct StringRep;
struct ListRep;
class DictRep;

enum class Kind : std::uint8_t {
  kNone,
  kUndefined,
  kBool,
  kInt,
  kDouble,
  kString,
  kList,
  kDict,
  kObject,
};

// Python's sequence types differ in how they print and in what they allow.
enum class ListFlavor : std::uint8_t {
  kList,
  kTuple,
  kGroup,      // groupby's (grouper, list): a tuple with names
  kRange,      // prints as range(...)
  kGenerator,  // map, select, ...: no length, no subscript, always true
  kKeys,       // dict.keys() and its kin: a length, but no subscript
  kValues,
  kItems,
};

class Value {
 public:
  Value() = default;  // none
  static Value boolean(bool value) { return Value(Rep(std::in_place_type<bool>, value)); }
  static Value integer(std::int64_t value) {
    return Value(Rep(std::in_place_type<std::int64_t>, value));
  }
  static Value real(double value) { return Value(Rep(std::in_place_type<double>, value)); }
  static Value object(Object* value) { return Value(Rep(std::in_place_type<Object*>, value)); }
  // A constant of the template itself: it is not counted against any render.
  static Value constant(std::string text);
  explicit Value(std::shared_ptr<const UndefinedRep> rep) : rep_(std::move(rep)) {}
  explicit Value(std::shared_ptr<const StringRep> rep) : rep_(std::move(rep)) {}
  explicit Value(std::shared_ptr<const ListRep> rep) : rep_(std::move(rep)) {}
  explicit Value(std::shared_ptr<const DictRep> rep) : rep_(std::move(rep)) {}

  Kind kind() const { return static_cast<Kind>(rep_.index()); }
  bool is(Kind wanted) const { return kind() == wanted; }
  bool is_undefined() const { return is(Kind::kUndefined); }
  bool is_none() const { return is(Kind::kNone); }
  bool is_string() const { return is(Kind::kString); }
  bool is_list() const { return is(Kind::kList); }
  bool is_dict() const { return is(Kind::kDict); }
  bool is_integral() const { return is(Kind::kInt) || is(Kind::kBool); }
  bool is_number() const { return is_integral() || is(Kind::kDouble); }

  bool as_bool() const { return std::get<bool>(rep_); }
  double as_double() const;          // kDouble, kInt or kBool
  std::int64_t as_int() const;       // kInt or kBool
  std::string_view as_text() const;  // kString
  bool is_markup() const;            // a string that `safe` or `escape` made
  const ListRep& as_list() const { return *std::get<std::shared_ptr<const ListRep>>(rep_); }
  const std::shared_ptr<const ListRep>& list_pointer() const {
    return std::get<std::shared_ptr<const ListRep>>(rep_);
  }
  const DictRep& as_dict() const { return *std::get<std::shared_ptr<const DictRep>>(rep_); }
  Object* as_object() const { return std::get<Object*>(rep_); }
  std::string_view undefined_message() const;  // kUndefined

  // The same object in memory, or an equal none, bool or number of the same kind.
  bool is_same(const Value& other) const { return rep_ == other.rep_; }
  // How many containers lie inside each other here: 0 for what is no container.
  std::uint32_t depth() const;

 private:
  using Rep = std::variant<std::monostate, std::shared_ptr<const UndefinedRep>, bool, std::int64_t,
                           double, std::shared_ptr<const StringRep>, std::shared_ptr<const ListRep>,
                           std::shared_ptr<const DictRep>, Object*>;
  explicit Value(Rep rep) : rep_(std::move(rep)) {}

  Rep rep_;
};

// Python's truth. An object's truth is its own affair, so this is no method.
bool is_true(const Value& value);
// "str", "int", "NoneType", ...: what Python's error messages call it.
std::string_view type_name(const Value& value);

// The arguments of one call, as the template wrote them.
struct Args {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

}  // namespace hangar::jinja
