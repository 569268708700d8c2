// Which instruction sets the kernels are compiled for, and which one this process uses.
//
// Promise: instruction_set() is Highway's name of the one in use: "AVX3_DL". supported_targets()
//   are the bits of all that are compiled in and that this processor runs, for tests to go through.
// Threads: any.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace hangar::cpu {

std::string_view instruction_set();
std::string_view target_name(std::int64_t target);
std::vector<std::int64_t> supported_targets();
// For tests and benchmarks: from now on use this target alone; 0: the best again.
void force_target(std::int64_t target);

}  // namespace hangar::cpu
