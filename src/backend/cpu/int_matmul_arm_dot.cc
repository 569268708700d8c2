#include "backend/cpu/int_matmul.h"

#if defined(__aarch64__)
#define HANGAR_ARM_NAMESPACE arm_dot
#define HANGAR_ARM_TARGET "arch=armv8.2-a+dotprod"
#define HANGAR_ARM_I8MM 0
#include "backend/cpu/int_matmul_arm-inl.h"

namespace hangar::cpu {

void int_matmul_arm_dot(const IntProduct& product) {
  arm_dot::arm_int_matmul(product);
}

}  // namespace hangar::cpu
#endif
