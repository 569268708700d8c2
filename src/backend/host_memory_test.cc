#include "backend/host_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace hangar {
namespace {

// Of the whole pages inside the memory, those that are in the process's memory.
struct Pages {
  std::size_t all = 0;
  std::size_t resident = 0;
};

Pages pages_of(const HostMemory& memory) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
  const std::size_t skipped = (page - address % page) % page;
  std::vector<unsigned char> resident((memory.size_bytes() - skipped) / page);
  EXPECT_EQ(::mincore(memory.data() + skipped, resident.size() * page, resident.data()), 0);
  const auto count = std::ranges::count_if(resident, [](auto bits) { return (bits & 1U) != 0; });
  return {resident.size(), static_cast<std::size_t>(count)};
}

bool all_zero(const HostMemory& memory) {
  return std::all_of(memory.data(), memory.data() + memory.size_bytes(),
                     [](std::byte byte) { return byte == std::byte{0}; });
}

TEST(HostMemory, IsAlignedAndZeroWhateverTheSize) {
  for (const std::size_t bytes : {0U, 1U, 63U, 4096U, 65471U, 65472U, 65536U, 200'000U}) {
    for (int time = 0; time < 2; ++time) {  // again where the first one was
      const HostMemory memory = HostMemory::allocate(bytes, "a piece").value();
      EXPECT_EQ(memory.size_bytes(), bytes);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.data()) % HostMemory::kAlignmentBytes, 0U);
      EXPECT_TRUE(all_zero(memory)) << bytes;
      std::fill_n(memory.data(), bytes, std::byte{0xA5});
    }
  }
}

TEST(HostMemory, TakesRealMemoryOnlyWhereItIsTouched) {
  // A workspace: pieces that a heap would cut out of what it has at hand.
  std::vector<HostMemory> pieces;
  for (int i = 0; i < 16; ++i) pieces.push_back(HostMemory::allocate(200'000, "a piece").value());
  for (const HostMemory& piece : pieces) {
    const Pages pages = pages_of(piece);
    EXPECT_LE(pages.resident, pages.all / 8);
  }
}

TEST(HostMemory, RefusesMoreThanThereIs) {
  for (const std::size_t bytes :
       {std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max() / 2}) {
    const auto memory = HostMemory::allocate(bytes, "the KV cache");
    ASSERT_FALSE(memory.has_value());
    EXPECT_EQ(memory.error().code, ErrorCode::kResourceExhausted);
    EXPECT_NE(memory.error().message.find("the KV cache"), std::string::npos);
  }
}

TEST(HostMemory, MovesWithWhatItOwns) {
  HostMemory from = HostMemory::allocate(200'000, "a piece").value();
  from.data()[100'000] = std::byte{7};
  const HostMemory to = std::move(from);
  EXPECT_EQ(to.data()[100'000], std::byte{7});
}

}  // namespace
}  // namespace hangar
