// Loops of multiply-adds on registers alone, one for each instruction set that has its own.
//
// Promise: int8_loop() and bf16_loop() are the best of the instruction set in use; each call does
//   `turns` rounds of independent multiply-adds and gives their number. nullptr: none of its own.
// Units: multiply-adds.
// Threads: any; a loop runs on the calling thread.
#pragma once

#include <cstdint>

namespace hangar::bench {

using PeakLoop = std::int64_t (*)(std::int64_t turns);

PeakLoop int8_loop();
PeakLoop bf16_loop();

}  // namespace hangar::bench
