// Operators between values, as Python defines them: equality, order, membership and arithmetic.
//
// Promise: `1 == 1.0 == True`; // and % round toward minus infinity; a string, list or tuple can be
//   repeated; text with markup escapes what is added to it.
// Errors: Python's TypeError and ZeroDivisionError as kInvalidArgument, thrown; so is an integer
// that
//   would need more than 64 bits.
// Threads: pure, save for the meter or heap of the caller's render.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "text/jinja/value.h"

namespace hangar::jinja {

class Heap;
class Meter;

enum class BinaryOp : std::uint8_t {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
};
enum class CompareOp : std::uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
};

bool equals(Meter& meter, const Value& left, const Value& right);
bool less(Meter& meter, const Value& left, const Value& right);
bool contains(Heap& heap, const Value& container, const Value& item);
bool compare(Heap& heap, CompareOp op, const Value& left, const Value& right);
Value binary(Heap& heap, BinaryOp op, const Value& left, const Value& right);
Value negate(const Value& operand);
Value plus(const Value& operand);

}  // namespace hangar::jinja
