// WeightQuant: in what numbers a model's matrices are kept where a backend can choose.
//
// Promise: kNone: 16 bits, whatever the file has. kFp8: e4m3, and for each row (output) a float32
//   scale that multiplies; what a file has in more bits is quantized at load. Embedding tables,
//   norms, biases and routers' weights stay as they are with either.
// Errors: weight_quant_of, head_quant_of: nullopt for what names none of them.
// Threads: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hangar {

enum class WeightQuant : std::uint8_t { kNone, kFp8 };

constexpr std::string_view weight_quant_name(WeightQuant quant) {
  switch (quant) {
    case WeightQuant::kNone:
      return "none";
    case WeightQuant::kFp8:
      return "fp8";
  }
  return "";
}

constexpr std::optional<WeightQuant> weight_quant_of(std::string_view name) {
  for (const WeightQuant quant : {WeightQuant::kNone, WeightQuant::kFp8}) {
    if (weight_quant_name(quant) == name) return quant;
  }
  return std::nullopt;
}

// By the bits of a number: "16", "8".
constexpr std::optional<WeightQuant> head_quant_of(std::string_view bits) {
  if (bits == "16") return WeightQuant::kNone;
  if (bits == "8") return WeightQuant::kFp8;
  return std::nullopt;
}

// nullopt, of both: FP8 where the file has it and the backend computes with it, else 16 bits.
struct QuantOptions {
  std::optional<WeightQuant> matrices = {};
  // The output head; where it is the embedding's table, a copy of it. nullopt, and kNone asked of
  // the matrices: that.
  std::optional<WeightQuant> head = {};

  bool operator==(const QuantOptions&) const = default;
};

}  // namespace hangar
