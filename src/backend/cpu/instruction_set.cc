#include "backend/cpu/instruction_set.h"

#include <atomic>

#include "backend/cpu/amx.h"
#include "backend/cpu/simd.h"
#include "hwy/highway.h"
#include "hwy/targets.h"

#if HWY_ARCH_ARM_A64
#include <sys/auxv.h>
#endif

namespace hangar::cpu {
namespace {

struct KnownExtension {
  Extension extension;
  std::int64_t target;
  const char* suffix;
  bool (*is_here)();
  bool (*pays)() = nullptr;  // whether it is better than the plain target here; nullptr: always
};

#if HWY_ARCH_X86
bool has_avx_vnni() {
  return __builtin_cpu_supports("avxvnni") != 0;
}
bool has_avx_bf16() {
  return __builtin_cpu_supports("avx512bf16") != 0;
}
// Intel's, without AMX, does 16 multiply-adds a cycle (Emerald Rapids, measured): half of what it
// does in float, which is exact besides. AMD's does twice as many as in float.
bool avx_bf16_pays() {
  return __builtin_cpu_is("intel") == 0;
}
bool has_amx() {
  return has_avx_bf16() && amx_available();
}
#endif

#if HWY_ARCH_ARM_A64
// As in the kernel's uapi/asm/hwcap.h, which older C libraries do not have in full.
constexpr unsigned long kHwcapAsimdDp = 1UL << 20U;
constexpr unsigned long kHwcap2I8mm = 1UL << 13U;

bool has_arm_dot() {
  return (getauxval(AT_HWCAP) & kHwcapAsimdDp) != 0;
}
bool has_arm_i8mm() {
  return has_arm_dot() && (getauxval(AT_HWCAP2) & kHwcap2I8mm) != 0;
}
#endif

// Of each target the best first.
constexpr KnownExtension kExtensions[] = {
#if HWY_ARCH_X86
    {Extension::kAvxVnni, HWY_AVX2, "+VNNI", has_avx_vnni},
    {Extension::kAmx, HWY_AVX3_DL, "+AMX", has_amx},
    {Extension::kAvxBf16, HWY_AVX3_DL, "+BF16", has_avx_bf16, avx_bf16_pays},
#endif
#if HWY_ARCH_ARM_A64
    {Extension::kArmI8mm, HWY_NEON, "+I8MM", has_arm_i8mm},
    {Extension::kArmDot, HWY_NEON, "+DOT", has_arm_dot},
#endif
};

std::int64_t targets_here() {
  // The baseline runs everywhere, though Highway does not list it where there is better.
  return (hwy::SupportedTargets() & HWY_TARGETS) | HWY_STATIC_TARGET;
}

std::atomic<Extension>& chosen_extension() {
  // global: one choice for the process, as Highway's own of the target; only tests change it.
  static std::atomic<Extension> extension = supported_instruction_sets().front().extension;
  return extension;
}

}  // namespace

std::string instruction_set_name(InstructionSet set) {
  std::string name = hwy::TargetName(set.target);
  for (const KnownExtension& known : kExtensions) {
    if (known.extension == set.extension) name += known.suffix;
  }
  return name;
}

std::vector<InstructionSet> supported_instruction_sets() {
  std::vector<InstructionSet> sets;
  for (std::int64_t left = targets_here(); left != 0; left &= left - 1) {
    const std::int64_t target = left & -left;
    const auto add = [&](bool paying) {
      for (const KnownExtension& known : kExtensions) {
        if (known.target != target || !known.is_here()) continue;
        if ((known.pays == nullptr || known.pays()) == paying) {
          sets.push_back({target, known.extension});
        }
      }
    };
    add(true);
    sets.push_back({target, Extension::kNone});
    add(false);
  }
  return sets;
}

InstructionSet instruction_set_in_use() {
  const std::int64_t targets = targets_here();
  return {targets & -targets, extension_in_use()};
}

Extension extension_in_use() {
  return chosen_extension().load(std::memory_order_relaxed);
}

void force_instruction_set(std::optional<InstructionSet> set) {
  std::atomic<Extension>& extension = chosen_extension();
  hwy::SetSupportedTargetsForTest(set ? set->target : 0);
  extension = set ? set->extension : supported_instruction_sets().front().extension;
}

}  // namespace hangar::cpu
