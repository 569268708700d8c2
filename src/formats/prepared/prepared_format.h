// PreparedHeader: the first bytes of a file of prepared weights, and what its reader and writer
// share.
//
// Promise: a header whose hash is right was written whole; kPreparedVersion is raised with every
//   change of what a field means.
// Errors: none.
// Threads: values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "tensor/prepared_weights.h"

namespace hangar {

inline constexpr std::array<char, 8> kPreparedMagic = {'H', 'A', 'N', 'G', 'A', 'R', 'P', 'W'};
inline constexpr std::uint32_t kPreparedVersion = 1;
inline constexpr std::uint64_t kPreparedPage = 4096;

// In the machine's byte order: the file stays on it, and a swapped version is refused.
struct PreparedHeader {
  std::array<char, 8> magic = kPreparedMagic;
  std::uint32_t version = kPreparedVersion;
  std::uint32_t header_bytes = sizeof(PreparedHeader);
  std::uint64_t file_bytes = 0;
  std::uint64_t index_at = 0;
  std::uint64_t index_bytes = 0;
  std::uint64_t index_hash = 0;
  std::uint64_t header_hash = 0;  // of all before it
};
static_assert(sizeof(PreparedHeader) == 56);

// One text for an id: names hold no control characters.
std::string prepared_key(const PreparedId& id);

}  // namespace hangar
