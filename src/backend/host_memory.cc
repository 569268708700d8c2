#include "backend/host_memory.h"

#include <cassert>
#include <cstdlib>
#include <utility>

namespace hangar {

void HostMemory::Free::operator()(void* p) const {
  std::free(p);
}

Result<HostMemory> HostMemory::allocate(std::size_t bytes, std::string_view what) {
  HostMemory memory;
  // calloc, not aligned_alloc: large pieces come from the kernel zeroed, page by page when touched.
  const std::size_t padded_bytes = bytes + kAlignmentBytes;
  void* block = padded_bytes < bytes ? nullptr : std::calloc(padded_bytes, 1);
  if (block == nullptr) {
    return make_error(ErrorCode::kResourceExhausted, "no memory for {} of {} bytes", what, bytes);
  }
  memory.owner_.reset(block);
  const auto address = reinterpret_cast<std::uintptr_t>(block);
  const std::uintptr_t skip = (kAlignmentBytes - address % kAlignmentBytes) % kAlignmentBytes;
  memory.data_ = static_cast<std::byte*>(block) + skip;
  memory.size_bytes_ = bytes;
  return memory;
}

HostMemory HostMemory::borrow(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  assert(reinterpret_cast<std::uintptr_t>(bytes.data()) % kAlignmentBytes == 0);
  HostMemory memory;
  memory.lender_ = std::move(owner);
  memory.data_ = const_cast<std::byte*>(bytes.data());
  memory.size_bytes_ = bytes.size();
  return memory;
}

std::optional<std::size_t> checked_product(std::initializer_list<std::int64_t> factors) {
  std::size_t product = 1;
  for (const std::int64_t factor : factors) {
    if (factor < 0) return std::nullopt;
    if (__builtin_mul_overflow(product, static_cast<std::size_t>(factor), &product)) {
      return std::nullopt;
    }
  }
  return product;
}

}  // namespace hangar
