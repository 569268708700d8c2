#include "backend/cpu/amx.h"

#include <initializer_list>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace hangar::cpu {

#if defined(__x86_64__)
namespace {

bool processor_has_amx() {
  constexpr unsigned kBf16 = 1U << 22U;
  constexpr unsigned kTile = 1U << 24U;
  constexpr unsigned kInt8 = 1U << 25U;
  constexpr unsigned kWanted = kBf16 | kTile | kInt8;
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kWanted) == kWanted;
}

// The kernel's asm/prctl.h, which older C libraries' headers lack.
bool linux_permits_tiles() {
  constexpr long kArchRequestPermission = 0x1023;
  constexpr long kTileData = 18;
  return ::syscall(SYS_arch_prctl, kArchRequestPermission, kTileData) == 0;
}

}  // namespace

bool amx_available() {
  static const bool available = processor_has_amx() && linux_permits_tiles();
  return available;
}

#else

bool amx_available() {
  return false;
}

#endif

TileConfig tile_config(TileLayout layout) {
  TileConfig config;
  config.palette = 1;
  for (int tile = 0; tile < 8; ++tile) {
    config.rows[tile] = 16;
    config.row_bytes[tile] = 64;
  }
  if (layout == TileLayout::kBf16) return config;
  const std::uint8_t columns = layout == TileLayout::kInt8Groups32 ? 32 : 16;
  for (const int x : {4, 6}) config.row_bytes[x] = columns;
  for (const int weights : {5, 7}) config.rows[weights] = columns / 4;
  return config;
}

TileScope::~TileScope() {
#if defined(__x86_64__)
  if (layout_ != TileLayout::kNone) HardwareTiles::release();
#endif
}

void TileScope::use(TileLayout layout) {
  if (layout == layout_) return;
#if defined(__x86_64__)
  HardwareTiles::configure(tile_config(layout));
#endif
  layout_ = layout;
}

}  // namespace hangar::cpu
