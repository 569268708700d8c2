// AmxRows: 8-bit activations (QuantizedRows) in the order that AMX's tiles of 16 rows read them.
//
// Promise: the same numbers; whole tiles of 16 rows only. For each tile and group of 32 columns:
//   values [16][32], then scales and scaled sums [16] each, and the scaled sums of each half.
// Threads: pack_amx_row may run for different rows at once.
#pragma once

#include <cstdint>

#include "backend/cpu/quantized_rows.h"
#include "backend/host_memory.h"
#include "base/result.h"

namespace hangar::cpu {

struct AmxRows {
  std::int64_t columns = 0;
  std::int64_t rows = 0;  // a multiple of 16: those beyond it are not here
  std::int8_t* values = nullptr;
  float* scales = nullptr;
  float* sums = nullptr;
  float* half_sums = nullptr;  // two [16] for each group

  std::int64_t groups() const { return columns / kActivationGroup; }
};

class AmxRowsBuffer {
 public:
  Status reserve(std::int64_t rows, std::int64_t columns);
  // reserve(rows, columns) has succeeded, now or for something larger.
  AmxRows view(std::int64_t rows, std::int64_t columns) const;

 private:
  HostMemory memory_;
};

// row < to.rows.
void pack_amx_row(const AmxRows& to, const QuantizedRows& from, std::int64_t row);

}  // namespace hangar::cpu
