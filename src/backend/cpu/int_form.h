// The forms of IntPanels that kernels are compiled for, and the choice among them.
//
// Promise: with_int_form(w, x, body) calls body.template operator()<Form>(inits) once, Form being
//   what w's panels hold. inits, where not nullptr, are what sums of stored codes by 8-bit
//   activations start from, so that they come to sums less the zero point: per row of x and group
//   of w. At 4 bits in groups of 16, which have no zero point but minimums, they are -128 times the
//   sum of x's 16 columns, for these.
// Threads: pure functions.
#pragma once

#include <cstdint>

#include "backend/cpu/int_panels.h"
#include "backend/cpu/quantized_rows.h"

namespace hangar::cpu {

template <int kBitsOf, int kGroupOf, bool kHalfOf, PanelOffset kOffsetOf>
struct IntForm {
  static constexpr int kBits = kBitsOf;
  static constexpr std::int64_t kGroup = kGroupOf;
  static constexpr bool kHalf = kHalfOf;  // scales and offsets are f16, else f32
  static constexpr PanelOffset kOffset = kOffsetOf;
  static constexpr bool kHasOffset = kOffsetOf != PanelOffset::kNone;
  // Whether codes have a zero point: 4-bit weights with an offset have none.
  static constexpr bool kHasZeroPoint = kBitsOf == 8 || !kHasOffset;
  // x's scaled sums are of groups of 32: those of 16 come from inits.
  static constexpr bool kHalfSums = kHasOffset && kGroupOf == 16;
};

template <class Body>
void with_int_form(const IntPanels& w, const QuantizedRows& x, const Body& body) {
  constexpr PanelOffset kNone = PanelOffset::kNone;
  constexpr PanelOffset kMinimum = PanelOffset::kMinimum;
  constexpr PanelOffset kNegatedZero = PanelOffset::kNegatedZero;
  if (w.group == 16) {
    const std::int32_t* inits = x.minus_128_halves;
    if (w.bits == 4) return body.template operator()<IntForm<4, 16, false, kMinimum>>(inits);
    return body.template operator()<IntForm<8, 16, false, kNone>>(inits);
  }
  if (w.bits == 4) {
    const std::int32_t* inits = w.zero_point == 8 ? x.minus_8_sums : nullptr;
    if (w.offset == kNegatedZero) {
      return body.template operator()<IntForm<4, 32, true, kNegatedZero>>(inits);
    }
    if (w.offset == kNone) {
      if (w.half_scales) return body.template operator()<IntForm<4, 32, true, kNone>>(inits);
      return body.template operator()<IntForm<4, 32, false, kNone>>(inits);
    }
    if (w.half_scales) return body.template operator()<IntForm<4, 32, true, kMinimum>>(inits);
    return body.template operator()<IntForm<4, 32, false, kMinimum>>(inits);
  }
  const std::int32_t* inits = x.minus_128_sums;
  if (w.offset == kNone) {
    if (w.half_scales) return body.template operator()<IntForm<8, 32, true, kNone>>(inits);
    return body.template operator()<IntForm<8, 32, false, kNone>>(inits);
  }
  if (w.half_scales) return body.template operator()<IntForm<8, 32, true, kMinimum>>(inits);
  return body.template operator()<IntForm<8, 32, false, kMinimum>>(inits);
}

}  // namespace hangar::cpu
