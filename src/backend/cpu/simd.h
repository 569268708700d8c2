// What every file that compiles for several instruction sets includes before Highway.
//
// Promise: kernels are compiled for the compiler's baseline (scalar or emulated on x86-64), SSE4,
//   AVX2, AVX3 (AVX-512) and AVX3_DL (with VNNI); the best that the processor has is taken at run
//   time. SSSE3 alone is left to the baseline: no processor of the last 15 years needs it. On
//   64-bit Arm NEON is the baseline and all there is, with instruction_set.h's extensions: SVE's
//   registers have no size when compiled, and the kernels keep theirs in arrays.
// Threads: macros.
#pragma once

#ifndef HWY_WANT_AVX3_DL
#define HWY_WANT_AVX3_DL 1
#endif
#ifndef HWY_DISABLED_TARGETS
#if defined(__aarch64__)
// With a target beside it Highway would take NEON only where there are AES instructions too.
#define HWY_DISABLED_TARGETS \
  (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_EMU128 | HWY_SCALAR)
#else
#define HWY_DISABLED_TARGETS HWY_SSSE3
#endif
#endif

// Before a loop of a few constant turns over registers: the arrays there must become registers.
// Not under sanitizers: what they add to each turn would make one file compile for minutes.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HANGAR_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HANGAR_SANITIZED
#endif
#if defined(HANGAR_SANITIZED)
#define HANGAR_UNROLL
#elif defined(__clang__)
#define HANGAR_UNROLL _Pragma("clang loop unroll(full)")
#else
#define HANGAR_UNROLL _Pragma("GCC unroll 16")
#endif
