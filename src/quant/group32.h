// The blocks of INT4_G32 and INT8_G32, which Hugging Face's 4- and 8-bit checkpoints are brought
// to.
//
// Promise: a block is a float scale, an int32 zero point, then the integers: 16 bytes of nibbles
//   laid out as Q4_0's, or 32 bytes. x = scale * (q - zero), computed in float.
// Shapes: 32 elements a block. Blocks may lie at any alignment.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace hangar {

inline constexpr std::size_t kGroup32Codes = 8;  // where the integers begin, in bytes

struct Group32 {
  float scale = 0.0F;
  std::int32_t zero = 0;
};

inline Group32 load_group32(const std::uint8_t* block) {
  Group32 group;
  std::memcpy(&group.scale, block, sizeof(group.scale));
  std::memcpy(&group.zero, block + 4, sizeof(group.zero));
  return group;
}

inline void store_group32(std::uint8_t* block, Group32 group) {
  std::memcpy(block, &group.scale, sizeof(group.scale));
  std::memcpy(block + 4, &group.zero, sizeof(group.zero));
}

inline void store_int4_codes(std::uint8_t* block, const std::uint8_t q[32]) {
  for (std::size_t i = 0; i < 16; ++i) {
    const unsigned high = static_cast<unsigned>(q[i + 16]) << 4U;
    block[kGroup32Codes + i] = static_cast<std::uint8_t>((q[i] & 15U) | high);
  }
}

inline void store_int8_codes(std::uint8_t* block, const std::uint8_t q[32]) {
  std::memcpy(block + kGroup32Codes, q, 32);
}

}  // namespace hangar
