// OperationTimes: how long a backend's operations took, by what they were for.
//
// Promise: matrix products are told apart by the weight they read: part_of_weight() goes by the
//   names that formats/ gives tensors ("blk.3.attn_q.weight"); what it does not know is kOther.
//   Fused operations count whole as the product that they end in or begin with.
// Units: nanoseconds on the calling thread. waits_ns is the part of ns in which it woke the
//   backend's threads or waited for them. bytes and multiply_adds are those of products: weights
//   as the backend keeps them, read once a call; one multiply-add for each weight and row.
// Threads: values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hangar {

enum class StepPart : std::uint8_t {
  kQkv,           // products
  kAttentionOut,  // "
  kGateUp,        // "
  kDown,          // "
  kHead,          // "
  kOther,         // " : a router, what has no name here
  kAttention,     // over keys and values
  kRopeKv,        // rotary embedding, keys and values written
  kNorm,
  kElementwise,  // residuals, biases, gates, scales, rows gathered and scattered, experts chosen
  kEmbedding,
  kSampling,
  kRead,  // results to the host, copies of blocks
};
inline constexpr std::size_t kStepParts = 13;

// "q, k, v": for tables. step_part_key: "qkv": for JSON.
std::string_view step_part_name(StepPart part);
std::string_view step_part_key(StepPart part);

StepPart part_of_weight(std::string_view tensor_name);

struct OperationTime {
  std::int64_t calls = 0;
  std::int64_t ns = 0;
  std::int64_t waits_ns = 0;
  double bytes = 0.0;
  double multiply_adds = 0.0;

  OperationTime& operator+=(const OperationTime& other);
};

struct OperationTimes {
  std::array<OperationTime, kStepParts> parts{};

  OperationTime& of(StepPart part) { return parts[static_cast<std::size_t>(part)]; }
  const OperationTime& of(StepPart part) const { return parts[static_cast<std::size_t>(part)]; }
  OperationTime total() const;
  OperationTimes& operator+=(const OperationTimes& other);
};

}  // namespace hangar
