// Batching: when waiting sequences may join those that run.
//
// Promise: a pure function of what is given. kNone: one at a time. kStatic: a batch begins when
//   `max_sequences` wait (or the first of them has waited static_wait_us) and nobody joins until
//   its last member has ended. kDynamic: the same, but a batch begins once the first has waited
//   batch_wait_us. kContinuous: whoever fits joins at every step.
// Units: sequences, microseconds.
// Threads: any.
#pragma once

#include <cstdint>
#include <optional>

#include "base/names.h"

namespace hangar {

enum class BatchingPolicy : std::uint8_t { kNone, kStatic, kDynamic, kContinuous };

inline constexpr auto kBatchingNames =
    names_of<BatchingPolicy>({{BatchingPolicy::kNone, "none"},
                              {BatchingPolicy::kStatic, "static"},
                              {BatchingPolicy::kDynamic, "dynamic"},
                              {BatchingPolicy::kContinuous, "continuous"}});

struct BatchingOptions {
  BatchingPolicy policy = BatchingPolicy::kContinuous;
  std::int32_t max_sequences = 64;
  std::int64_t batch_wait_us = 50'000;
  std::int64_t static_wait_us = 1'000'000;
};

struct BatchingState {
  std::int32_t running = 0;          // members of the current batch that have not ended
  std::int32_t waiting = 0;          // could be admitted
  std::int64_t longest_wait_us = 0;  // of those waiting
  bool gathering = false;            // a batch's first step has not been planned yet
};

// How many of those waiting may join now.
std::int32_t batch_joiners(const BatchingOptions& options, const BatchingState& state);
// In how many microseconds that may change without anything else happening; nullopt: never.
std::optional<std::int64_t> batch_next_change_us(const BatchingOptions& options,
                                                 const BatchingState& state);

}  // namespace hangar
