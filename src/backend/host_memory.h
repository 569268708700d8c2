// HostMemory: memory aligned to 64 bytes, for backends that compute on the host.
//
// Promise: data() is 64-byte aligned. What allocate() gives reads as zero until written; large
//   pieces take real memory only where they are touched, and of the memory node whose processor
//   touches them first. What borrow() gives is another's, kept alive, and may be read only. Sizes
//   are checked: a product that overflows is never allocated.
// Errors: kResourceExhausted with the size asked for.
// Threads: a value; moves, does not copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"

namespace hangar {

struct HostMemoryFree {
  std::size_t mapped_bytes = 0;  // 0: from the heap
  void operator()(void* p) const;
};

class HostMemory {
 public:
  static constexpr std::size_t kAlignmentBytes = 64;

  HostMemory() = default;
  // `what` names the thing in the error: "KV cache".
  static Result<HostMemory> allocate(std::size_t bytes, std::string_view what);
  // Part of a mapped file, say; data() of it is 64-byte aligned and never written.
  static HostMemory borrow(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);

  std::byte* data() const { return data_; }
  std::size_t size_bytes() const { return size_bytes_; }
  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  using Owner = std::unique_ptr<void, HostMemoryFree>;
  static Owner zeroed(std::size_t bytes);  // nullptr: there is none

  Owner owner_;
  std::shared_ptr<const void> lender_;
  std::byte* data_ = nullptr;
  std::size_t size_bytes_ = 0;
};

// The product of non-negative factors, or nothing where one is negative or it overflows.
std::optional<std::size_t> checked_product(std::initializer_list<std::int64_t> factors);

}  // namespace hangar
