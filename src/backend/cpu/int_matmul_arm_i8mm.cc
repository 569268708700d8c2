#include "backend/cpu/int_matmul.h"

#if defined(__aarch64__)
#define HANGAR_ARM_NAMESPACE arm_i8mm
#define HANGAR_ARM_TARGET "arch=armv8.2-a+dotprod+i8mm"
#define HANGAR_ARM_I8MM 1
#include "backend/cpu/int_matmul_arm-inl.h"

namespace hangar::cpu {

void int_matmul_arm_i8mm(const IntProduct& product) {
  arm_i8mm::arm_int_matmul(product);
}

}  // namespace hangar::cpu
#endif
