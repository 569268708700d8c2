#include "backend/cpu/instruction_set.h"

#include "backend/cpu/simd.h"
#include "hwy/highway.h"
#include "hwy/targets.h"

namespace hangar::cpu {

std::vector<std::int64_t> supported_targets() {
  std::vector<std::int64_t> targets;
  // The baseline runs everywhere, though Highway does not list it where there is better.
  std::int64_t left = (hwy::SupportedTargets() & HWY_TARGETS) | HWY_STATIC_TARGET;
  for (; left != 0; left &= left - 1) targets.push_back(left & -left);
  return targets;
}

std::string_view target_name(std::int64_t target) {
  return hwy::TargetName(target);
}

std::string_view instruction_set() {
  return target_name(supported_targets().front());
}

void force_target(std::int64_t target) {
  hwy::SetSupportedTargetsForTest(target);
}

}  // namespace hangar::cpu
