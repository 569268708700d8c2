// Cursor: reads little-endian numbers and strings off a span of bytes, never past its end.
//
// Promise: every read checks the bytes left first; nothing is copied or allocated.
// Errors: kCorrupt: "NAME: WHAT at byte N: needs A bytes, B left".
// Lifetime: a view on the bytes; strings it returns point into them.
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hangar::gguf {

class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, std::string_view file) : bytes_(bytes), file_(file) {}

  std::size_t offset() const { return offset_; }
  std::size_t remaining() const { return bytes_.size() - offset_; }
  std::span<const std::byte> rest() const { return bytes_.subspan(offset_); }
  std::string_view file() const { return file_; }

  // T: an unsigned or signed integer, float or double. `what` names the field in errors.
  template <typename T>
  Result<T> read(std::string_view what) {
    HANGAR_TRY(const std::span<const std::byte> raw, take(sizeof(T), what));
    T value;
    std::memcpy(&value, raw.data(), sizeof value);
    return value;
  }

  Result<std::span<const std::byte>> take(std::uint64_t count, std::string_view what);

  // A 64-bit length and as many bytes; refuses more than max_bytes.
  Result<std::string_view> read_string(std::string_view what, std::uint64_t max_bytes = UINT64_MAX);

  // A count of things that take at least min_bytes each: checked against the bytes left, so that
  // whatever is allocated for it is bounded by the file's size.
  Result<std::uint64_t> read_count(std::string_view what, std::uint64_t min_bytes);
  Status check_count(std::uint64_t count, std::string_view what, std::uint64_t min_bytes) const;

 private:
  std::span<const std::byte> bytes_;
  std::string_view file_;
  std::size_t offset_ = 0;
};

// Text from a file, fit for a terminal: control characters and broken UTF-8 escaped; no more than
// max_bytes of it, then "...".
std::string printable(std::string_view text, std::size_t max_bytes = SIZE_MAX);

}  // namespace hangar::gguf
