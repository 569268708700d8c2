// TextBuffer: short texts appended one after the other, quickly.
//
// Promise: as a string that only grows; a copy stands by itself. Memory that was reserved but not
//   written takes none.
// Threads: a value.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace hangar {

class TextBuffer {
 public:
  TextBuffer() = default;
  TextBuffer(const TextBuffer& other) { append({other.data(), other.size()}); }
  TextBuffer(TextBuffer&& other) noexcept
      : bytes_(std::move(other.bytes_)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  TextBuffer& operator=(TextBuffer other) noexcept {
    bytes_ = std::move(other.bytes_);
    size_ = other.size_;
    capacity_ = other.capacity_;
    return *this;
  }
  ~TextBuffer() = default;

  const char* data() const { return bytes_.get(); }
  std::size_t size() const { return size_; }
  const char* end() const { return data() + size_; }
  void clear() { size_ = 0; }

  void reserve(std::size_t bytes) {
    if (bytes > capacity_) grow(bytes);
  }
  // No part of the buffer itself.
  void append(std::string_view text) { append(text, text.data() + text.size()); }
  // The same, and quicker where memory may be read past the text, up to `end`.
  void append(std::string_view text, const char* end) {
    if (text.size() > capacity_ - size_) grow(std::max(size_ + text.size(), 2 * capacity_));
    if (text.empty()) return;
    char* const to = bytes_.get() + size_;
    if (text.size() <= kSpareBytes && static_cast<std::size_t>(end - text.data()) >= kSpareBytes) {
      std::memcpy(to, text.data(), kSpareBytes);  // always as much: lengths come in no order
    } else {
      std::memcpy(to, text.data(), text.size());
    }
    size_ += text.size();
  }

 private:
  static constexpr std::size_t kSpareBytes = 16;  // past the capacity

  void grow(std::size_t capacity) {
    auto bytes = std::make_unique_for_overwrite<char[]>(capacity + kSpareBytes);
    if (size_ > 0) std::memcpy(bytes.get(), bytes_.get(), size_);
    bytes_ = std::move(bytes);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace hangar
