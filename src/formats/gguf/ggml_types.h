// The tensor types that GGUF files number, by name; some of them this program can compute with.
//
// Promise: every number that ggml has ever given out is known by its name, so that a refusal can
// say
//   what the file holds.
// Threads: constants.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tensor/dtype.h"

namespace hangar::gguf {

struct GgmlType {
  std::uint32_t number;
  std::string_view name;
  std::optional<DType> dtype;  // nullopt: not supported
};

// nullptr: a number that ggml has not given out.
const GgmlType* find_ggml_type(std::uint32_t number);
// UINT32_MAX: GGUF has no such type (INT4_G32, INT8_G32, F8_E4M3).
std::uint32_t ggml_type_number(DType dtype);
// "F32, F16, Q4_0, ..."
std::string supported_ggml_types();

}  // namespace hangar::gguf
