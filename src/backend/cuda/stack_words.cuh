// Words by which the blocks of one kernel tell each other numbers: 16 bytes, four numbers of 24
// bits and a flag, written and read at once.
//
// Promise: say_four() writes a word; a reader that finds `flag` in it has the numbers with it, so
//   that neither waits for a fence or a barrier. Numbers are float32 rounded to 16 bits of
//   mantissa. say_rows() writes what a warp's lanes hold, four lanes to a word.
// Shapes: StackWords: where each kind of words lies; a word of row r is at r / 4.
// Source: NCCL's LL protocol; PTX ISA 9.0, "ld", "st" of .b128.
// Threads: device functions.
#pragma once

#include <cstdint>

#include "backend/cuda/stack.h"

namespace hangar::cuda::stack {

inline constexpr int kSources = 16;   // blocks of a KV head
inline constexpr int kPartWords = 9;  // 32 numbers of a head's part, then its weight
inline constexpr int kPartNumbers = 32;

// Of 16 bytes each: what attention, its half and the gate give, q k v, parts of attention; and the
// number of the next launch's first layer, in a word of its own.
struct StackWords {
  int attended, halfway, acted, done, heads, parts, epoch, all;

  __host__ __device__ constexpr explicit StackWords(const StackSizes& s)
      : attended(0),
        halfway(attended + kStackHidden / 4),
        acted(halfway + kStackHidden / 4),
        done(acted + s.inner / 4),
        heads(done + kStackHidden / 4),
        parts(heads + kStackKvHeads * (kStackGroup + 2) * kStackHeadDim / 4),
        epoch(parts + kStackBlocks * kSources * kPartWords),
        all(epoch + 1) {}
};

#if __CUDA_ARCH__ >= 900

__device__ __forceinline__ void put_word(uint4* to, std::uint32_t a, std::uint32_t b,
                                         std::uint32_t c, std::uint32_t flag) {
  asm volatile(
      "{\n"
      ".reg .b64 low, high;\n"
      ".reg .b128 all;\n"
      "mov.b64 low, {%1, %2};\n"
      "mov.b64 high, {%3, %4};\n"
      "mov.b128 all, {low, high};\n"
      "st.relaxed.gpu.global.b128 [%0], all;\n"
      "}\n" ::"l"(__cvta_generic_to_global(to)),
      "r"(a), "r"(b), "r"(c), "r"(flag)
      : "memory");
}
__device__ __forceinline__ uint4 get_word(const uint4* from) {
  uint4 word;
  asm volatile(
      "{\n"
      ".reg .b64 low, high;\n"
      ".reg .b128 all;\n"
      "ld.relaxed.gpu.global.b128 all, [%4];\n"
      "mov.b128 {low, high}, all;\n"
      "mov.b64 {%0, %1}, low;\n"
      "mov.b64 {%2, %3}, high;\n"
      "}\n"
      : "=r"(word.x), "=r"(word.y), "=r"(word.z), "=r"(word.w)
      : "l"(__cvta_generic_to_global(from))
      : "memory");
  return word;
}
__device__ __forceinline__ std::uint32_t flag_of(const uint4* word) {
  std::uint32_t flag = 0;
  asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];"
               : "=r"(flag)
               : "l"(__cvta_generic_to_global(&word->w))
               : "memory");
  return flag;
}
// Until this word is there: of what somebody else wrote with a word that was.
__device__ __forceinline__ void complete(uint4& word, const uint4* from, std::uint32_t flag) {
  while (word.w != flag) word = get_word(from);
}

__device__ __forceinline__ void say_four(uint4* to, float a, float b, float c, float d,
                                         std::uint32_t flag) {
  constexpr std::uint32_t kHalf = 0x80;  // of the last bit that is kept
  const std::uint32_t x = __float_as_uint(a) + kHalf;
  const std::uint32_t y = __float_as_uint(b) + kHalf;
  const std::uint32_t z = __float_as_uint(c) + kHalf;
  const std::uint32_t w = __float_as_uint(d) + kHalf;
  put_word(to, __byte_perm(x, y, 0x5321), __byte_perm(y, z, 0x6532), __byte_perm(z, w, 0x7653),
           flag);
}
__device__ __forceinline__ void open_four(const uint4& word, float (&out)[4]) {
  out[0] = __uint_as_float(word.x << 8U);
  out[1] = __uint_as_float(__byte_perm(word.x, word.y, 0x5433) & ~0xFFU);
  out[2] = __uint_as_float(__byte_perm(word.y, word.z, 0x4322) & ~0xFFU);
  out[3] = __uint_as_float(word.z & ~0xFFU);
}

// Lane i has number i of 4 * count, count at most 8.
__device__ __forceinline__ void say_rows(uint4* to, float value, int lane, int count,
                                         std::uint32_t flag) {
  float four[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) four[i] = __shfl_sync(~0U, value, lane % 8 * 4 + i);
  if (lane < count) say_four(to + lane, four[0], four[1], four[2], four[3], flag);
}

// Until the words of every `each`-th lane are there: looked at seldom, since all blocks look.
template <int kEach, typename... Words>
__device__ __forceinline__ void until(int lane, std::uint32_t flag, const Words*... words) {
  bool there = false;
  do {
    there = lane % kEach != 0 || ((flag_of(words) == flag) & ...);
  } while (__all_sync(~0U, there) == 0);
}

#endif

}  // namespace hangar::cuda::stack
