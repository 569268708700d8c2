// What every file that compiles for several instruction sets includes before Highway.
//
// Promise: kernels are compiled for the compiler's baseline (scalar or emulated on x86-64), SSE4,
//   AVX2, AVX3 (AVX-512) and AVX3_DL (with VNNI); the best that the processor has is taken at run
//   time. SSSE3 alone is left to the baseline: no processor of the last 15 years needs it.
// Threads: macros.
#pragma once

#ifndef HWY_WANT_AVX3_DL
#define HWY_WANT_AVX3_DL 1
#endif
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS HWY_SSSE3
#endif

// Before a loop of a few constant turns over registers: the arrays there must become registers.
#if defined(__clang__)
#define HANGAR_UNROLL _Pragma("clang loop unroll(full)")
#else
#define HANGAR_UNROLL _Pragma("GCC unroll 16")
#endif
