#include "backend/cpu/int_matmul.h"

#include "backend/cpu/instruction_set.h"
#include "backend/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/int_matmul.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "backend/cpu/int_matmul-inl.h"

#if HWY_ONCE
namespace hangar::cpu {

HWY_EXPORT(IntMatmul);

void int_matmul(const IntProduct& product) {
  [[maybe_unused]] const Extension extension = extension_in_use();
#if HWY_ARCH_X86
  if (extension == Extension::kAvxVnni) return int_matmul_avx_vnni(product);
#endif
#if HWY_ARCH_ARM_A64
  if (extension == Extension::kArmDot) return int_matmul_arm_dot(product);
  if (extension == Extension::kArmI8mm) return int_matmul_arm_i8mm(product);
#endif
  HWY_DYNAMIC_DISPATCH(IntMatmul)(product);
}

}  // namespace hangar::cpu
#endif
