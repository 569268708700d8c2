// Intel AMX: whether this process may use it, and a thread's tile registers.
//
// Promise: amx_available() asks Linux once for the right to the tiles' state (8 KiB a thread that
//   uses it). A TileScope configures the calling thread's tiles where they are first used and
//   releases them at its end, so that the system has nothing to save for a thread that is not in a
//   product. HardwareTiles are the instructions; tiles 0..7 by number, rows of at most 64 bytes.
// Units: strides are bytes from one row of a tile to the next.
// Errors: tile instructions without the right or the configuration end the process with a signal.
// Threads: amx_available any; a TileScope stays in the thread that made it.
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18.
#pragma once

#include <cstdint>

namespace hangar::cpu {

// int8 and bf16 products both.
bool amx_available();

enum class TileLayout : std::uint8_t {
  kNone,
  // All eight are 16 rows of 64 bytes: sums in 0 to 3, x in 4 and 5, weights in 6 and 7.
  kBf16,
  // Sums in 0 to 3; x in 4 and 6 (16 rows of 32 bytes), weights in 5 and 7 (8 rows of 64).
  kInt8Groups32,
  // As before, x 16 rows of 16 bytes, weights 4 rows of 64.
  kInt8Groups16,
};

// What LDTILECFG reads.
struct alignas(64) TileConfig {
  std::uint8_t palette = 0;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};
TileConfig tile_config(TileLayout layout);

struct HardwareTiles {
#if defined(__x86_64__)
  static void configure(const TileConfig& config) {
    asm volatile("ldtilecfg %0" : : "m"(config) : "memory");
  }
  static void release() { asm volatile("tilerelease" : : : "memory"); }
  template <int kTile>
  static void zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  template <int kTile>
  static void load(const void* from, std::int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  static void store(void* to, std::int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(kTile) : "memory");
  }
  // sums += x times weights: pairs of bf16, or quads of signed bytes, in each 32 bits.
  template <int kSums, int kX, int kWeights>
  static void dot_bf16() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kX), "i"(kWeights));
  }
  template <int kSums, int kX, int kWeights>
  static void dot_int8() {
    asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kX), "i"(kWeights));
  }
#endif
};

class TileScope {
 public:
  TileScope() = default;
  ~TileScope();
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;
  // The tiles' contents are lost where the layout changes.
  void use(TileLayout layout);

 private:
  TileLayout layout_ = TileLayout::kNone;
};

}  // namespace hangar::cpu
