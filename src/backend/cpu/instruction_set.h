// Which instruction sets the kernels are compiled for, and which one this process uses.
//
// Promise: an InstructionSet is one of Highway's targets with an extension of it. Highway 1.0.3 has
//   no targets for these: kernels that gain by one are compiled once more for it (a file of their
//   own, named after it) and choose by extension_in_use(); all others run as the target has them.
//   supported_instruction_sets() are all that are compiled in and that this processor runs, the
//   best first. The best is taken; force_instruction_set is for tests, which go through them all.
// To add one: an Extension here, a line in instruction_set.cc, and the kernels' files.
// Threads: any; force_instruction_set while no kernel runs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hangar::cpu {

// Each includes those before it of the same target.
enum class Extension : std::uint8_t {
  kNone,
  kAvxVnni,  // of AVX2: 8-bit dot products in 256 bits
  kAvxBf16,  // of AVX3_DL: AVX512-BF16, dot products of bf16
  kAmx,      // of AVX3_DL: Intel AMX with bf16 and int8, where Linux lets the process use it
  kArmDot,   // of NEON: FEAT_DotProd (SDOT, UDOT)
  kArmI8mm,  // of NEON: FEAT_I8MM (USDOT, and SMMLA: 2x8 by 8x2 products)
};

struct InstructionSet {
  std::int64_t target = 0;  // Highway's bit
  Extension extension = Extension::kNone;
};

// Highway's name and the extension's: "AVX3_DL", "NEON+DOT", "NEON+I8MM".
std::string instruction_set_name(InstructionSet set);
std::vector<InstructionSet> supported_instruction_sets();
InstructionSet instruction_set_in_use();
Extension extension_in_use();
// For tests and benchmarks: from now on use this one alone; none: the best again.
void force_instruction_set(std::optional<InstructionSet> set);

}  // namespace hangar::cpu
