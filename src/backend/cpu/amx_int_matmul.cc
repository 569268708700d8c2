#include "backend/cpu/amx_int_matmul.h"

#include <algorithm>

#if defined(__x86_64__)
#include "backend/cpu/amx_int_matmul-inl.h"
#endif

namespace hangar::cpu {

void amx_int_matmul(const IntProduct& product, [[maybe_unused]] const AmxRows& tiles) {
  IntProduct rest = product;
#if defined(__x86_64__)
  IntProduct whole = product;
  whole.end_row = std::min(product.end_row, tiles.rows) / kPanelRows * kPanelRows;
  if (whole.first_row < whole.end_row) {
    amx_int_matmul_by<HardwareTiles>(whole, tiles);
    rest.first_row = whole.end_row;
  }
#endif
  if (rest.first_row < rest.end_row) int_matmul(rest);
}

}  // namespace hangar::cpu
