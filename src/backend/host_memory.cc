#include "backend/host_memory.h"

#include <sys/mman.h>

#include <cassert>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <utility>

namespace hangar {
namespace {

// From here on the kernel is asked itself. The heap would write zeros into what it has at hand,
// which is then taken for good, touched or not: 130 KB of each piece of a workspace.
constexpr std::size_t kMappedBytes = std::size_t{64} << 10U;

// The address sanitizer watches the ends of what the heap hands out.
#if defined(__SANITIZE_ADDRESS__)
#define HANGAR_WATCHED_HEAP 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HANGAR_WATCHED_HEAP 1
#endif
#endif
#ifdef HANGAR_WATCHED_HEAP
constexpr bool kMapsLargePieces = false;
#else
constexpr bool kMapsLargePieces = true;
#endif

}  // namespace

void HostMemoryFree::operator()(void* p) const {
  if (mapped_bytes == 0) {
    std::free(p);
  } else {
    ::munmap(p, mapped_bytes);
  }
}

HostMemory::Owner HostMemory::zeroed(std::size_t bytes) {
  if (!kMapsLargePieces || bytes < kMappedBytes) return Owner(std::calloc(bytes, 1));
  void* block = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return {block == MAP_FAILED ? nullptr : block, HostMemoryFree{bytes}};
}

Result<HostMemory> HostMemory::allocate(std::size_t bytes, std::string_view what) {
  HostMemory memory;
  // No object may be larger; sanitizers end a program that only asks.
  constexpr std::size_t kMost = std::numeric_limits<std::ptrdiff_t>::max();
  if (bytes <= kMost - kAlignmentBytes) memory.owner_ = zeroed(bytes + kAlignmentBytes);
  void* const block = memory.owner_.get();
  if (block == nullptr) {
    return make_error(ErrorCode::kResourceExhausted, "no memory for {} of {} bytes", what, bytes);
  }
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
