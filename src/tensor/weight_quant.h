// WeightQuant: in what numbers a model's matrices are kept where a backend can choose.
//
// Promise: kNone: 16 bits, whatever the file has. kFp8: e4m3, and for each row (output) a float32
//   scale that multiplies; what a file has in more bits is quantized at load. kInt4: 4 bits in
//   groups of inputs with a scale and a zero or minimum each; a file's own, else rounded to nearest
//   at load in groups of 128. Embedding tables, norms, biases and routers' weights stay as they are
//   with any.
//   WeightCopies: whether a matrix of 4 bits is kept a second time, each number in 8 bits, for
//   steps of many rows. kAuto: where copies take little of what weights leave
//   (Backend::wants_copies).
//   Fp8Sums: how products of FP8 are added up in steps of many rows. kExact: in float32. kFast: as
//   a card's matrix units do, to about 13 bits of the largest term; where terms of one sign prevail
//   over thousands of columns, sums come out too small, by up to a tenth.
// Errors: weight_quant_of, head_quant_of, weight_copies_of, fp8_sums_of: nullopt for any other
//   name.
// Threads: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hangar {

enum class WeightQuant : std::uint8_t { kNone, kFp8, kInt4 };
inline constexpr WeightQuant kWeightQuants[] = {WeightQuant::kNone, WeightQuant::kFp8,
                                                WeightQuant::kInt4};

constexpr std::string_view weight_quant_name(WeightQuant quant) {
  switch (quant) {
    case WeightQuant::kNone:
      return "none";
    case WeightQuant::kFp8:
      return "fp8";
    case WeightQuant::kInt4:
      return "int4";
  }
  return "";
}

constexpr std::optional<WeightQuant> weight_quant_of(std::string_view name) {
  for (const WeightQuant quant : kWeightQuants) {
    if (weight_quant_name(quant) == name) return quant;
  }
  return std::nullopt;
}

// By the bits of a number: "16", "8", "4".
constexpr std::string_view head_quant_name(WeightQuant quant) {
  switch (quant) {
    case WeightQuant::kNone:
      return "16";
    case WeightQuant::kFp8:
      return "8";
    case WeightQuant::kInt4:
      return "4";
  }
  return "";
}

constexpr std::optional<WeightQuant> head_quant_of(std::string_view bits) {
  for (const WeightQuant quant : kWeightQuants) {
    if (head_quant_name(quant) == bits) return quant;
  }
  return std::nullopt;
}

enum class WeightCopies : std::uint8_t { kAuto, kOn, kOff };
inline constexpr WeightCopies kWeightCopies[] = {WeightCopies::kAuto, WeightCopies::kOn,
                                                 WeightCopies::kOff};

constexpr std::string_view weight_copies_name(WeightCopies copies) {
  switch (copies) {
    case WeightCopies::kAuto:
      return "auto";
    case WeightCopies::kOn:
      return "on";
    case WeightCopies::kOff:
      return "off";
  }
  return "";
}

constexpr std::optional<WeightCopies> weight_copies_of(std::string_view name) {
  for (const WeightCopies copies : kWeightCopies) {
    if (weight_copies_name(copies) == name) return copies;
  }
  return std::nullopt;
}

enum class Fp8Sums : std::uint8_t { kFast, kExact };
inline constexpr Fp8Sums kAllFp8Sums[] = {Fp8Sums::kFast, Fp8Sums::kExact};

constexpr std::string_view fp8_sums_name(Fp8Sums sums) {
  switch (sums) {
    case Fp8Sums::kFast:
      return "fast";
    case Fp8Sums::kExact:
      return "exact";
  }
  return "";
}

constexpr std::optional<Fp8Sums> fp8_sums_of(std::string_view name) {
  for (const Fp8Sums sums : kAllFp8Sums) {
    if (fp8_sums_name(sums) == name) return sums;
  }
  return std::nullopt;
}

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
