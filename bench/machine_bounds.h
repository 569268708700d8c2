// What this machine can do at most, measured: the bounds that benchmarks are set against.
//
// Promise: each is measured once, in about 0.2 s, with `threads` threads, and kept; the best of
//   several tries. Multiply-adds are counted on registers alone, with the best instructions of the
//   instruction set in use (backend/cpu/instruction_set.h): what no kernel passes, not what one
//   with scales and loads can reach.
// Units: bytes per second, multiply-adds per second.
// Threads: one at a time.
#pragma once

#include <cstddef>

namespace hangar::bench {

// Reading `working_set_bytes` over and over, each thread its part of it; rounded to a power of two
// of at least 1 MB a thread. Small ones are a cache's speed.
double read_bytes_per_s(int threads, std::size_t working_set_bytes);
// 8-bit integers.
double int8_macs_per_s(int threads);
// BF16 with sums in float32; or float32, where no instruction does that or it is no faster.
double bf16_macs_per_s(int threads);
double float_macs_per_s(int threads);

}  // namespace hangar::bench
