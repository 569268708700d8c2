// WeightQuant: in what numbers a model's matrices are kept where a backend can choose.
//
// Promise: kNone: 16 bits, whatever the file has. kFp8: e4m3, and for each row (output) a float32
//   scale that multiplies; what a file has in more bits is quantized at load. kInt4: 4 bits in
//   groups of inputs with a scale and a zero or minimum each; a file's own, else rounded to nearest
//   at load in groups of 128. Embedding tables, norms, biases and routers' weights stay as they are
//   with any.
//   WeightCopies: whether a matrix of 4 bits is kept a second time, each number in 8 bits, for
//   steps of many rows. kExact: with the same values, of groups of 128. kRounded: rounded to
//   FP8 with one scale a row, of any 4 bits, as fast as FP8. kAuto: rounded ones, where they take
//   little of what weights leave (Backend::wants_copies).
//   Fp8Sums: how products of FP8 are added up in steps of many rows. kExact: in float32. kFast: as
//   a card's matrix units do, to about 13 bits of the largest term; where terms of one sign prevail
//   over thousands of columns, sums come out too small, by up to a tenth.
// Threads: values.
#pragma once

#include <cstdint>
#include <optional>

#include "base/names.h"

namespace hangar {

enum class WeightQuant : std::uint8_t { kNone, kFp8, kInt4 };
inline constexpr auto kWeightQuantNames = names_of<WeightQuant>(
    {{WeightQuant::kNone, "none"}, {WeightQuant::kFp8, "fp8"}, {WeightQuant::kInt4, "int4"}});
// By the bits of a number.
inline constexpr auto kHeadQuantNames = names_of<WeightQuant>(
    {{WeightQuant::kNone, "16"}, {WeightQuant::kFp8, "8"}, {WeightQuant::kInt4, "4"}});

enum class WeightCopies : std::uint8_t { kAuto, kExact, kRounded, kOff };
inline constexpr auto kWeightCopiesNames =
    names_of<WeightCopies>({{WeightCopies::kAuto, "auto"},
                            {WeightCopies::kExact, "exact"},
                            {WeightCopies::kRounded, "rounded"},
                            {WeightCopies::kOff, "off"}});
// Whether they were asked for.
inline bool wanted(WeightCopies copies) {
  return copies == WeightCopies::kExact || copies == WeightCopies::kRounded;
}
// Those that are kept.
inline bool rounded(WeightCopies copies) {
  return copies != WeightCopies::kExact;
}

enum class Fp8Sums : std::uint8_t { kFast, kExact };
inline constexpr auto kFp8SumsNames =
    names_of<Fp8Sums>({{Fp8Sums::kFast, "fast"}, {Fp8Sums::kExact, "exact"}});

// nullopt, of matrices and head: FP8 or 4 bits where the file has them and the backend computes
// with them, else 16 bits.
struct QuantOptions {
  std::optional<WeightQuant> matrices = {};
  // The output head; where it is the embedding's table, a copy of it. nullopt, and kNone asked of
  // the matrices: that.
  std::optional<WeightQuant> head = {};
  WeightCopies copies = WeightCopies::kAuto;
  Fp8Sums fp8_sums = Fp8Sums::kFast;

  bool operator==(const QuantOptions&) const = default;
};

}  // namespace hangar
