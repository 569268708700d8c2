// What this machine can do at most, measured: the bounds that benchmarks are set against.
//
// Promise: each is measured once, in about 0.2 s, with `threads` threads, and kept.
// Units: bytes per second, multiply-adds per second.
// Threads: one at a time.
#pragma once

namespace hangar::bench {

// Reading memory that no cache holds (64 MB a thread).
double read_bytes_per_s(int threads);
// 4-bit by 8-bit integer multiply-adds on registers, with the kernels' own instructions.
double int_macs_per_s(int threads);

}  // namespace hangar::bench
