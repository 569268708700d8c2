// For tests: AMX's tiles in plain code, as the manual defines them, so that what is built on them
// runs on any machine.
//
// Promise: as HardwareTiles; a load or product that the configuration does not fit fails the test.
//   bf16 products sum even and odd columns apart over one tile, then add both to the sums.
// Threads: one.
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, TDPBF16PS and
//   TDPBSSD.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>

#include "backend/cpu/amx.h"
#include "tensor/float16.h"

namespace hangar::cpu {

class EmulatedTiles {
 public:
  static void configure(const TileConfig& config) { state() = {config, {}}; }

  template <int kTile>
  static void zero() {
    state().tiles[kTile] = {};
  }
  template <int kTile>
  static void load(const void* from, std::int64_t stride) {
    state().tiles[kTile] = {};
    for (std::int64_t r = 0; r < rows(kTile); ++r) {
      std::memcpy(row(kTile, r), static_cast<const std::byte*>(from) + r * stride,
                  row_bytes(kTile));
    }
  }
  template <int kTile>
  static void store(void* to, std::int64_t stride) {
    for (std::int64_t r = 0; r < rows(kTile); ++r) {
      std::memcpy(static_cast<std::byte*>(to) + r * stride, row(kTile, r), row_bytes(kTile));
    }
  }
  template <int kSums, int kX, int kWeights>
  static void dot_bf16() {
    expect_shapes(kSums, kX, kWeights);
    for (std::int64_t m = 0; m < rows(kSums); ++m) {
      for (std::int64_t n = 0; n < 16; ++n) {
        float even = 0.0F;
        float odd = 0.0F;
        for (std::int64_t k = 0; k < rows(kWeights); ++k) {
          even = std::fma(bf16(kX, m, 2 * k), bf16(kWeights, k, 2 * n), even);
          odd = std::fma(bf16(kX, m, 2 * k + 1), bf16(kWeights, k, 2 * n + 1), odd);
        }
        add<float>(kSums, m, n, even + odd);
      }
    }
  }
  template <int kSums, int kX, int kWeights>
  static void dot_int8() {
    expect_shapes(kSums, kX, kWeights);
    for (std::int64_t m = 0; m < rows(kSums); ++m) {
      for (std::int64_t n = 0; n < 16; ++n) {
        std::int32_t sum = 0;
        for (std::int64_t k = 0; k < 4 * rows(kWeights); ++k) {
          sum += byte(kX, m, k) * byte(kWeights, k / 4, n * 4 + k % 4);
        }
        add<std::int32_t>(kSums, m, n, sum);
      }
    }
  }

 private:
  struct State {
    TileConfig config;
    std::array<std::array<std::byte, 1024>, 8> tiles;
  };
  static State& state() {
    static State one;  // global: the processor's registers are, too
    return one;
  }
  static std::int64_t rows(int tile) { return state().config.rows[tile]; }
  static std::size_t row_bytes(int tile) { return state().config.row_bytes[tile]; }
  static std::byte* row(int tile, std::int64_t r) {
    return state().tiles[static_cast<std::size_t>(tile)].data() + r * 64;
  }
  static float bf16(int tile, std::int64_t r, std::int64_t i) {
    std::uint16_t bits;
    std::memcpy(&bits, row(tile, r) + i * 2, sizeof(bits));
    return bfloat16_to_float(bits);
  }
  static int byte(int tile, std::int64_t r, std::int64_t i) {
    return static_cast<std::int8_t>(row(tile, r)[i]);
  }
  template <typename T>
  static void add(int tile, std::int64_t r, std::int64_t i, T more) {
    T sum;
    std::memcpy(&sum, row(tile, r) + i * 4, sizeof(sum));
    sum += more;
    std::memcpy(row(tile, r) + i * 4, &sum, sizeof(sum));
  }
  static void expect_shapes(int sums, int x, int weights) {
    ASSERT_EQ(rows(sums), rows(x));
    ASSERT_EQ(row_bytes(sums), row_bytes(weights));
    ASSERT_EQ(row_bytes(x), static_cast<std::size_t>(rows(weights)) * 4);
  }
};

}  // namespace hangar::cpu
