// Matrix product of integer weights and 8-bit activations by AMX tiles, for steps of many rows.
//
// Promise: bit for bit what int_matmul computes, which does the rows that are no whole tile of 16:
//   the integer dot product of a group is exact either way, and the multiply-adds in float are the
//   same in the same order. So a row's result depends neither on its company nor on whether there
//   is AMX.
// Shapes: as int_matmul; first_row is a multiple of 16. `tiles` holds the whole tiles of product.x.
// Why int8 and not bf16 tiles: bf16 weights would need no scaling in float a group, which is what
//   bounds this, but they are other numbers: weights and sums rounded otherwise than for few rows,
//   where tiles do not pay. A row's answer would depend on how many rows come with it.
// Errors: only where instruction_set.h says kAmx and a TileScope of this thread holds
//   amx_int_layout(w).
// Threads: may run for different panels or rows at once.
#pragma once

#include "backend/cpu/amx.h"
#include "backend/cpu/amx_rows.h"
#include "backend/cpu/int_matmul.h"

namespace hangar::cpu {

inline TileLayout amx_int_layout(const IntPanels& w) {
  return w.group == 32 ? TileLayout::kInt8Groups32 : TileLayout::kInt8Groups16;
}

void amx_int_matmul(const IntProduct& product, const AmxRows& tiles);

}  // namespace hangar::cpu
