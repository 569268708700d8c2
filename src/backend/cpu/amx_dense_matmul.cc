#include "backend/cpu/amx_dense_matmul.h"

#include <cstdlib>

#include "backend/cpu/amx.h"
#include "backend/cpu/amx_dense_matmul-inl.h"

namespace hangar::cpu {

void amx_dense_matmul([[maybe_unused]] const DensePanels& w,
                      [[maybe_unused]] std::int64_t first_panel,
                      [[maybe_unused]] std::int64_t end_panel, [[maybe_unused]] const Bf16Rows& x,
                      [[maybe_unused]] bool low, [[maybe_unused]] std::int64_t first_row,
                      [[maybe_unused]] std::int64_t end_row, [[maybe_unused]] float* y,
                      [[maybe_unused]] std::int64_t y_stride) {
#if defined(__x86_64__)
  amx_dense_matmul_by<HardwareTiles>(w, first_panel, end_panel, x, low, first_row, end_row, y,
                                     y_stride);
#else
  std::abort();
#endif
}

}  // namespace hangar::cpu
