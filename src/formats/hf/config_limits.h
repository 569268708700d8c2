// Bounds on what a config may say.
//
// Promise: products of numbers within them do not overflow 64 bits.
// Threads: constants.
#pragma once

#include <cstdint>

namespace hangar::hf {

inline constexpr std::int64_t kMaxLayers = 4096;
inline constexpr std::int64_t kMaxHidden = 1 << 20;
inline constexpr std::int64_t kMaxFeedForward = 1 << 24;
inline constexpr std::int64_t kMaxHeads = 1 << 16;
inline constexpr std::int64_t kMaxHeadDim = 1 << 16;
inline constexpr std::int64_t kMaxHeadElements = 1 << 22;  // heads * head_dim
inline constexpr std::int64_t kMaxVocabulary = 1 << 24;
inline constexpr std::int64_t kMaxContext = 1 << 30;
inline constexpr std::int64_t kMaxExperts = 1 << 16;

}  // namespace hangar::hf
