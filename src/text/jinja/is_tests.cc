#include "text/jinja/is_tests.h"

#include <array>

#include "text/jinja/access.h"
#include "text/jinja/arguments.h"
#include "text/jinja/filters.h"
#include "text/jinja/heap.h"
#include "text/jinja/operators.h"
#include "text/jinja/text_form.h"
#include "text/jinja/text_tools.h"

namespace hangar::jinja {
namespace {

// A test without arguments that only looks at the value.
template <bool (*Holds)(const Value&)>
bool plain(Heap& /*heap*/, const Value& value, const Args& args) {
  Arguments(args, "test", {});
  return Holds(value);
}

bool is_defined(const Value& v) {
  return !v.is_undefined();
}
bool is_undefined(const Value& v) {
  return v.is_undefined();
}
bool is_none(const Value& v) {
  return v.is_none();
}
bool is_boolean(const Value& v) {
  return v.is(Kind::kBool);
}
bool is_just_true(const Value& v) {
  return v.is(Kind::kBool) && v.as_bool();
}
bool is_just_false(const Value& v) {
  return v.is(Kind::kBool) && !v.as_bool();
}
bool is_integer(const Value& v) {
  return v.is(Kind::kInt);
}
bool is_float(const Value& v) {
  return v.is(Kind::kDouble);
}
bool is_number(const Value& v) {
  return v.is_number();
}
bool is_string(const Value& v) {
  return v.is_string();
}
bool is_mapping(const Value& v) {
  return v.is_dict();
}
bool is_escaped(const Value& v) {
  return v.is_markup();
}

// Undefined has a length (none) and a subscript (that fails), so Jinja2 takes it for a sequence.
bool is_sequence(const Value& v) {
  return v.is_string() || v.is_dict() || v.is_undefined() ||
         (v.is_list() && v.as_list().has_subscript());
}

bool is_callable(const Value& v) {
  return v.is_undefined() || (v.is(Kind::kObject) && v.as_object()->is_callable());
}

bool has_rest(Heap& heap, const Value& value, const Value& divisor, std::int64_t rest) {
  const Value result = binary(heap, BinaryOp::kModulo, value, divisor);
  return equals(heap.meter(), result, Value::integer(rest));
}

bool is_odd(Heap& heap, const Value& value, const Args& args) {
  Arguments(args, "odd", {});
  return has_rest(heap, value, Value::integer(2), 1);
}

bool is_even(Heap& heap, const Value& value, const Args& args) {
  Arguments(args, "even", {});
  return has_rest(heap, value, Value::integer(2), 0);
}

bool is_divisible(Heap& heap, const Value& value, const Args& args) {
  const Arguments given(args, "divisibleby", {"num"}, 1);
  return has_rest(heap, value, given.at(0), 0);
}

bool is_upper(Heap& heap, const Value& value, const Args& args) {
  Arguments(args, "upper", {});
  return is_upper_text(to_text(heap, value));
}

bool is_lower(Heap& heap, const Value& value, const Args& args) {
  Arguments(args, "lower", {});
  return is_lower_text(to_text(heap, value));
}

bool is_same_as(Heap& /*heap*/, const Value& value, const Args& args) {
  return value.is_same(Arguments(args, "sameas", {"other"}, 1).at(0));
}

template <CompareOp kOp>
bool compares(Heap& heap, const Value& value, const Args& args) {
  return compare(heap, kOp, value, Arguments(args, "test", {"other"}, 1).at(0));
}

// Both look the name up in a dictionary.
void require_hashable(const Value& value) {
  const bool hashable = !value.is_dict() && !(value.is_list() && !value.as_list().is_tuple());
  if (!hashable) fail_type("unhashable type: '{}'", type_name(value));
}

bool names_filter(Heap& /*heap*/, const Value& value, const Args& args) {
  Arguments(args, "filter", {});
  require_hashable(value);
  return value.is_string() && find_filter(value.as_text()) != nullptr;
}

bool names_test(Heap& /*heap*/, const Value& value, const Args& args) {
  Arguments(args, "test", {});
  require_hashable(value);
  return value.is_string() && find_test(value.as_text()) != nullptr;
}

struct TestEntry {
  std::string_view name;
  TestFunction function;
};

constexpr std::array kTests = {
    TestEntry{"defined", &plain<&is_defined>},
    TestEntry{"undefined", &plain<&is_undefined>},
    TestEntry{"none", &plain<&is_none>},
    TestEntry{"boolean", &plain<&is_boolean>},
    TestEntry{"true", &plain<&is_just_true>},
    TestEntry{"false", &plain<&is_just_false>},
    TestEntry{"integer", &plain<&is_integer>},
    TestEntry{"float", &plain<&is_float>},
    TestEntry{"number", &plain<&is_number>},
    TestEntry{"string", &plain<&is_string>},
    TestEntry{"mapping", &plain<&is_mapping>},
    TestEntry{"iterable", &plain<&is_iterable>},
    TestEntry{"sequence", &plain<&is_sequence>},
    TestEntry{"callable", &plain<&is_callable>},
    TestEntry{"escaped", &plain<&is_escaped>},
    TestEntry{"odd", &is_odd},
    TestEntry{"even", &is_even},
    TestEntry{"divisibleby", &is_divisible},
    TestEntry{"upper", &is_upper},
    TestEntry{"lower", &is_lower},
    TestEntry{"sameas", &is_same_as},
    TestEntry{"filter", &names_filter},
    TestEntry{"test", &names_test},
    TestEntry{"in", &compares<CompareOp::kIn>},
    TestEntry{"eq", &compares<CompareOp::kEqual>},
    TestEntry{"==", &compares<CompareOp::kEqual>},
    TestEntry{"equalto", &compares<CompareOp::kEqual>},
    TestEntry{"ne", &compares<CompareOp::kNotEqual>},
    TestEntry{"!=", &compares<CompareOp::kNotEqual>},
    TestEntry{"gt", &compares<CompareOp::kGreater>},
    TestEntry{">", &compares<CompareOp::kGreater>},
    TestEntry{"greaterthan", &compares<CompareOp::kGreater>},
    TestEntry{"ge", &compares<CompareOp::kGreaterEqual>},
    TestEntry{">=", &compares<CompareOp::kGreaterEqual>},
    TestEntry{"lt", &compares<CompareOp::kLess>},
    TestEntry{"<", &compares<CompareOp::kLess>},
    TestEntry{"lessthan", &compares<CompareOp::kLess>},
    TestEntry{"le", &compares<CompareOp::kLessEqual>},
    TestEntry{"<=", &compares<CompareOp::kLessEqual>},
};

}  // namespace

TestFunction find_test(std::string_view name) {
  for (const TestEntry& entry : kTests) {
    if (entry.name == name) return entry.function;
  }
  return nullptr;
}

}  // namespace hangar::jinja
