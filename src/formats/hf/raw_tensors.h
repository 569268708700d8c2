// RawTensors: the tensors of a Hugging Face folder under their own names, before any mapping.
//
// Promise: each tensor's data lies inside its mapped shard and is as long as its shape calls for;
// no
//   two overlap.
// Threads: const after open.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hangar::hf {

enum class RawType : std::uint8_t {
  kBool,
  kU8,
  kI8,
  kF8E4M3,
  kF8E5M2,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kI64,
  kU64,
  kF64,
};

struct RawTensor {
  std::string name;  // "model.layers.0.self_attn.q_proj.weight"
  RawType type = RawType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;
};

class RawTensors {
 public:
  virtual ~RawTensors() = default;
  virtual const RawTensor* find(std::string_view name) const = 0;  // nullptr: not there
  virtual std::span<const RawTensor> all() const = 0;
  // As Checkpoint::release.
  virtual void release(std::optional<std::span<const std::byte>> /*part*/) const {}
};

}  // namespace hangar::hf
