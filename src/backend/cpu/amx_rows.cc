#include "backend/cpu/amx_rows.h"

#include <cstring>

namespace hangar::cpu {
namespace {

constexpr std::int64_t kTile = 16;

// Of one group of 32 columns and a tile's 16 rows.
constexpr std::int64_t kGroupBytes = kTile * (kActivationGroup + 4 * 4);

std::int64_t whole_tiles(std::int64_t rows) {
  return rows / kTile;
}

}  // namespace

Status AmxRowsBuffer::reserve(std::int64_t rows, std::int64_t columns) {
  // Columns that are no whole groups are never quantized.
  const auto bytes =
      static_cast<std::size_t>(whole_tiles(rows) * (columns / kActivationGroup) * kGroupBytes);
  if (bytes <= memory_.size_bytes()) return {};
  HANGAR_TRY(memory_, HostMemory::allocate(bytes, "activations in tiles"));
  return {};
}

AmxRows AmxRowsBuffer::view(std::int64_t rows, std::int64_t columns) const {
  AmxRows x;
  x.columns = columns;
  x.rows = whole_tiles(rows) * kTile;
  const std::int64_t row_groups = x.rows * x.groups();
  std::byte* next = memory_.data();
  x.values = reinterpret_cast<std::int8_t*>(next);
  x.scales = reinterpret_cast<float*>(next + x.rows * columns);
  x.sums = x.scales + row_groups;
  x.half_sums = x.sums + row_groups;
  return x;
}

void pack_amx_row(const AmxRows& to, const QuantizedRows& from, std::int64_t row) {
  const std::int64_t groups = to.groups();
  const std::int64_t first = row / kTile * groups;  // of the tile's groups
  const std::int64_t lane = row % kTile;
  for (std::int64_t g = 0; g < groups; ++g) {
    const std::int64_t at = first + g;
    const std::int64_t here = row * groups + g;
    std::memcpy(to.values + (at * kTile + lane) * kActivationGroup,
                from.values + row * to.columns + g * kActivationGroup, kActivationGroup);
    const float scale = from.scales[here];
    to.scales[at * kTile + lane] = scale;
    to.sums[at * kTile + lane] = from.scaled_sums[here];
    for (std::int64_t half = 0; half < 2; ++half) {
      const auto minus_128_sum = static_cast<float>(from.minus_128_halves[here * 2 + half]);
      to.half_sums[(at * 2 + half) * kTile + lane] = scale * (minus_128_sum * -0x1p-7F);
    }
  }
}

}  // namespace hangar::cpu
