#include "text/jinja/operators.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/html.h"
#include "text/jinja/heap.h"
#include "text/jinja/percent_format.h"
#include "text/jinja/reps.h"
#include "text/jinja/text_form.h"

namespace hangar::jinja {
namespace {

constexpr std::array<std::string_view, 7> kBinaryNames = {"+", "-", "*", "/", "//", "%", "**"};

[[noreturn]] void fail_operands(BinaryOp op, const Value& left, const Value& right) {
  const std::string_view name = kBinaryNames[static_cast<std::size_t>(op)];
  fail_type("unsupported operand type(s) for {}: '{}' and '{}'",
            op == BinaryOp::kPower ? "** or pow()" : name, type_name(left), type_name(right));
}

[[noreturn]] void fail_overflow() {
  fail(ErrorCode::kInvalidArgument, "an integer result does not fit in 64 bits");
}

// -1, 0, 1; 2 where one is NaN. Integers are compared with doubles exactly.
int order_numbers(const Value& left, const Value& right) {
  if (left.is_integral() && right.is_integral()) {
    return left.as_int() < right.as_int() ? -1 : (left.as_int() > right.as_int() ? 1 : 0);
  }
  const double a = left.as_double();
  const double b = right.as_double();
  if (std::isnan(a) || std::isnan(b)) return 2;
  if (a != b) return a < b ? -1 : 1;
  if (!left.is_integral() && !right.is_integral()) return 0;
  const std::int64_t whole = left.is_integral() ? left.as_int() : right.as_int();
  const double other = left.is_integral() ? b : a;
  if (other >= 9223372036854775808.0) return left.is_integral() ? -1 : 1;
  const auto rounded = static_cast<std::int64_t>(other);
  if (whole == rounded) return 0;
  return (whole < rounded) == left.is_integral() ? -1 : 1;
}

bool equal_dicts(Meter& meter, const DictRep& left, const DictRep& right) {
  if (left.entries().size() != right.entries().size()) return false;
  for (const auto& [key, value] : left.entries()) {
    const Value* other = right.find(key);
    if (other == nullptr || !equals(meter, value, *other)) return false;
  }
  return true;
}

bool same_sequence_type(const ListRep& left, const ListRep& right) {
  return left.flavor == right.flavor || (left.is_tuple() && right.is_tuple());
}

bool equal_lists(Meter& meter, const ListRep& left, const ListRep& right) {
  if (&left == &right) return true;
  if (!same_sequence_type(left, right) || left.flavor == ListFlavor::kGenerator) return false;
  if (left.items.size() != right.items.size()) return false;
  for (std::size_t i = 0; i < left.items.size(); ++i) {
    if (!equals(meter, left.items[i], right.items[i])) return false;
  }
  return true;
}

// left < right (or <=, where or_equal) for two lists or two tuples.
bool order_lists(Meter& meter, const ListRep& left, const ListRep& right) {
  const std::size_t common = std::min(left.items.size(), right.items.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (!equals(meter, left.items[i], right.items[i])) {
      return less(meter, left.items[i], right.items[i]);
    }
  }
  return left.items.size() < right.items.size();
}

bool are_ordered_lists(const Value& left, const Value& right) {
  if (!left.is_list() || !right.is_list()) return false;
  const ListRep& a = left.as_list();
  return same_sequence_type(a, right.as_list()) && (a.is_tuple() || a.flavor == ListFlavor::kList);
}

bool less_as(Meter& meter, std::string_view name, const Value& left, const Value& right,
             bool or_equal) {
  meter.step();
  if (left.is_undefined()) fail_type("{}", left.undefined_message());
  if (right.is_undefined()) fail_type("{}", right.undefined_message());
  if (left.is_number() && right.is_number()) {
    const int order = order_numbers(left, right);
    return order == -1 || (or_equal && order == 0);
  }
  if (left.is_string() && right.is_string()) {
    meter.scan(std::min(left.as_text().size(), right.as_text().size()));
    // UTF-8 sorts as its code points do.
    return or_equal ? left.as_text() <= right.as_text() : left.as_text() < right.as_text();
  }
  if (are_ordered_lists(left, right)) {
    if (or_equal && equals(meter, left, right)) return true;
    return order_lists(meter, left.as_list(), right.as_list());
  }
  fail_type("'{}' not supported between instances of '{}' and '{}'", name, type_name(left),
            type_name(right));
}

Value add_text(Heap& heap, const Value& left, const Value& right) {
  const bool markup = left.is_markup() || right.is_markup();
  std::string out;
  for (const Value* part : {&left, &right}) {
    heap.append(out, markup && !part->is_markup() ? std::string_view(escape_html(part->as_text()))
                                                  : part->as_text());
  }
  return heap.string(std::move(out), markup);
}

Value add(Heap& heap, const Value& left, const Value& right) {
  if (left.is_string() && right.is_string()) return add_text(heap, left, right);
  if (left.is_list() && right.is_list()) {
    const ListRep& a = left.as_list();
    const ListRep& b = right.as_list();
    if ((a.is_tuple() && b.is_tuple()) ||
        (a.flavor == ListFlavor::kList && b.flavor == ListFlavor::kList)) {
      heap.meter().check_room((a.items.size() + b.items.size()) * sizeof(Value));
      std::vector<Value> items = a.items;
      items.insert(items.end(), b.items.begin(), b.items.end());
      return heap.list(std::move(items), a.is_tuple() ? ListFlavor::kTuple : ListFlavor::kList);
    }
  }
  if (left.is_string()) {
    fail_type("can only concatenate str (not \"{}\") to str", type_name(right));
  }
  if (left.is_list() && left.as_list().has_subscript() &&
      left.as_list().flavor != ListFlavor::kRange) {
    const std::string_view name = left.as_list().is_tuple() ? "tuple" : "list";
    fail_type("can only concatenate {} (not \"{}\") to {}", name, type_name(right), name);
  }
  fail_operands(BinaryOp::kAdd, left, right);
}

Value repeat(Heap& heap, const Value& sequence, std::int64_t times) {
  const std::size_t count = times > 0 ? static_cast<std::size_t>(times) : 0;
  const std::size_t unit = sequence.is_string() ? sequence.as_text().size()
                                                : sequence.as_list().items.size() * sizeof(Value);
  if (unit != 0 && count > std::numeric_limits<std::size_t>::max() / unit) {
    heap.meter().check_room(std::numeric_limits<std::size_t>::max());
  }
  heap.meter().check_room(unit * count);
  heap.meter().scan(unit * count);
  if (sequence.is_string()) {
    std::string out;
    out.reserve(unit * count);
    for (std::size_t i = 0; unit != 0 && i < count; ++i) out += sequence.as_text();
    return heap.string(std::move(out), sequence.is_markup());
  }
  const ListRep& list = sequence.as_list();
  std::vector<Value> items;
  items.reserve(list.items.size() * count);
  for (std::size_t i = 0; unit != 0 && i < count; ++i) {
    items.insert(items.end(), list.items.begin(), list.items.end());
  }
  return heap.list(std::move(items), list.is_tuple() ? ListFlavor::kTuple : ListFlavor::kList);
}

bool can_repeat(const Value& value) {
  return value.is_string() || (value.is_list() && (value.as_list().flavor == ListFlavor::kList ||
                                                   value.as_list().is_tuple()));
}

std::int64_t integer_power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) fail_overflow();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) fail_overflow();
  }
  return result;
}

Value integer_binary(BinaryOp op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  switch (op) {
    case BinaryOp::kAdd:
      if (__builtin_add_overflow(a, b, &result)) fail_overflow();
      return Value::integer(result);
    case BinaryOp::kSubtract:
      if (__builtin_sub_overflow(a, b, &result)) fail_overflow();
      return Value::integer(result);
    case BinaryOp::kMultiply:
      if (__builtin_mul_overflow(a, b, &result)) fail_overflow();
      return Value::integer(result);
    case BinaryOp::kDivide:
      if (b == 0) fail_type("division by zero");
      return Value::real(static_cast<double>(a) / static_cast<double>(b));
    case BinaryOp::kFloorDivide:
    case BinaryOp::kModulo: {
      if (b == 0) fail_type("integer division or modulo by zero");
      if (b == -1) {  // also the one quotient that overflows
        if (op == BinaryOp::kModulo) return Value::integer(0);
        if (__builtin_sub_overflow(std::int64_t{0}, a, &result)) fail_overflow();
        return Value::integer(result);
      }
      const bool round_down = a % b != 0 && ((a < 0) != (b < 0));
      if (op == BinaryOp::kModulo) return Value::integer(a % b + (round_down ? b : 0));
      return Value::integer(a / b - (round_down ? 1 : 0));
    }
    case BinaryOp::kPower:
      if (b >= 0) return Value::integer(integer_power(a, b));
      if (a == 0) fail_type("0.0 cannot be raised to a negative power");
      return Value::real(std::pow(static_cast<double>(a), static_cast<double>(b)));
  }
  fail_overflow();
}

Value real_binary(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd:
      return Value::real(a + b);
    case BinaryOp::kSubtract:
      return Value::real(a - b);
    case BinaryOp::kMultiply:
      return Value::real(a * b);
    case BinaryOp::kDivide:
      if (b == 0.0) fail_type("float division by zero");
      return Value::real(a / b);
    case BinaryOp::kFloorDivide:
    case BinaryOp::kModulo: {
      if (b == 0.0) fail_type("float floor division by zero");
      double rest = std::fmod(a, b);
      double quotient = (a - rest) / b;
      if (rest != 0.0 && ((rest < 0) != (b < 0))) {
        rest += b;
        quotient -= 1.0;
      }
      if (rest == 0.0) rest = std::copysign(0.0, b);
      if (op == BinaryOp::kModulo) return Value::real(rest);
      const double floor = std::floor(quotient);
      return Value::real(quotient - floor > 0.5 ? floor + 1.0 : floor);
    }
    case BinaryOp::kPower: {
      if (a == 0.0 && b < 0.0) fail_type("0.0 cannot be raised to a negative power");
      if (a < 0.0 && std::isfinite(b) && b != std::floor(b)) {
        fail_type("a negative number to a fractional power is complex, which is not supported");
      }
      const double result = std::pow(a, b);
      if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) {
        fail_type("(34, 'Numerical result out of range')");
      }
      return Value::real(result);
    }
  }
  fail_overflow();
}

}  // namespace

bool equals(Meter& meter, const Value& left, const Value& right) {
  meter.step();
  if (left.is_number() && right.is_number()) return order_numbers(left, right) == 0;
  if (left.kind() != right.kind()) return false;
  switch (left.kind()) {
    case Kind::kString:
      if (left.as_text().size() != right.as_text().size()) return false;
      meter.scan(left.as_text().size());
      return left.as_text() == right.as_text();
    case Kind::kList:
      return equal_lists(meter, left.as_list(), right.as_list());
    case Kind::kDict:
      return &left.as_dict() == &right.as_dict() ||
             equal_dicts(meter, left.as_dict(), right.as_dict());
    case Kind::kObject:
      return left.as_object() == right.as_object();
    default:
      return true;  // none and none, undefined and undefined
  }
}

bool less(Meter& meter, const Value& left, const Value& right) {
  return less_as(meter, "<", left, right, false);
}

bool contains(Heap& heap, const Value& container, const Value& item) {
  switch (container.kind()) {
    case Kind::kString:
      if (!item.is_string()) {
        fail_type("'in <string>' requires string as left operand, not {}", type_name(item));
      }
      heap.meter().scan(container.as_text().size());
      return container.as_text().find(item.as_text()) != std::string_view::npos;
    case Kind::kList:
      for (const Value& other : container.as_list().items) {
        if (other.is_same(item) || equals(heap.meter(), other, item)) return true;
      }
      return false;
    case Kind::kDict:
      return container.as_dict().find(item) != nullptr;
    case Kind::kUndefined:
      return false;
    default:
      fail_type("argument of type '{}' is not iterable", type_name(container));
  }
}

bool compare(Heap& heap, CompareOp op, const Value& left, const Value& right) {
  Meter& meter = heap.meter();
  switch (op) {
    case CompareOp::kEqual:
      return equals(meter, left, right);
    case CompareOp::kNotEqual:
      return !equals(meter, left, right);
    case CompareOp::kLess:
      return less_as(meter, "<", left, right, false);
    case CompareOp::kLessEqual:
      return less_as(meter, "<=", left, right, true);
    // The operands change places, so a mismatch names them the other way round than Python does:
    // ask for the types first.
    case CompareOp::kGreater:
    case CompareOp::kGreaterEqual: {
      const bool or_equal = op == CompareOp::kGreaterEqual;
      const bool comparable =
          (left.is_number() && right.is_number()) || (left.is_string() && right.is_string()) ||
          are_ordered_lists(left, right) || left.is_undefined() || right.is_undefined();
      if (!comparable) return less_as(meter, or_equal ? ">=" : ">", left, right, or_equal);
      return less_as(meter, "<", right, left, or_equal);
    }
    case CompareOp::kIn:
      return contains(heap, right, left);
    case CompareOp::kNotIn:
      return !contains(heap, right, left);
  }
  return false;
}

Value binary(Heap& heap, BinaryOp op, const Value& left, const Value& right) {
  if (left.is_undefined()) fail_type("{}", left.undefined_message());
  if (op == BinaryOp::kModulo && left.is_string()) return percent_format(heap, left, right);
  if (right.is_undefined()) fail_type("{}", right.undefined_message());
  if (left.is_integral() && right.is_integral()) {
    return integer_binary(op, left.as_int(), right.as_int());
  }
  if (left.is_number() && right.is_number()) {
    return real_binary(op, left.as_double(), right.as_double());
  }
  if (op == BinaryOp::kAdd) return add(heap, left, right);
  if (op == BinaryOp::kMultiply) {
    if (can_repeat(left) && right.is_integral()) return repeat(heap, left, right.as_int());
    if (can_repeat(right) && left.is_integral()) return repeat(heap, right, left.as_int());
    if (can_repeat(left) || can_repeat(right)) {
      fail_type("can't multiply sequence by non-int of type '{}'",
                type_name(can_repeat(left) ? right : left));
    }
  }
  fail_operands(op, left, right);
}

Value negate(const Value& operand) {
  if (operand.is_undefined()) fail_type("{}", operand.undefined_message());
  if (operand.is(Kind::kDouble)) return Value::real(-operand.as_double());
  if (!operand.is_integral()) fail_type("bad operand type for unary -: '{}'", type_name(operand));
  return integer_binary(BinaryOp::kSubtract, 0, operand.as_int());
}

Value plus(const Value& operand) {
  if (operand.is_undefined()) fail_type("{}", operand.undefined_message());
  if (operand.is(Kind::kDouble)) return operand;
  if (!operand.is_integral()) fail_type("bad operand type for unary +: '{}'", type_name(operand));
  return Value::integer(operand.as_int());
}

}  // namespace hangar::jinja
