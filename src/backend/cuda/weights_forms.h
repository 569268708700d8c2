// How stored numbers become floats, number by number, for kernels that unpack weights on the card.
//
// Promise: Form::at(block, i) is, bit for bit (NaN payloads aside), what dequantize_row gives for
//   element i of the block: the same operations in the same order, none of them fused.
// Shapes: a block is Form::kElements numbers in Form::kBytes bytes, at an address that its numbers'
//   alignment divides. Layouts: tensor/dtype.h, quant/unpack.h, quant/k_scales.h.
// Errors: none. Threads: pure functions, of the card and of the host.
#pragma once

#include <cstdint>
#include <cstring>

#include "tensor/float16.h"

#ifdef __CUDACC__
#include <cuda_fp16.h>
#define HANGAR_EVERYWHERE __host__ __device__ __forceinline__
#else
#define HANGAR_EVERYWHERE inline
#endif

namespace hangar::cuda::forms {

// Products and sums that no compiler may fuse.
HANGAR_EVERYWHERE float times(float a, float b) {
#ifdef __CUDA_ARCH__
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}
HANGAR_EVERYWHERE float plus(float a, float b) {
#ifdef __CUDA_ARCH__
  return __fadd_rn(a, b);
#else
  return a + b;
#endif
}

template <typename T>
HANGAR_EVERYWHERE T load(const std::uint8_t* at) {
#ifdef __CUDA_ARCH__
  return *reinterpret_cast<const T*>(at);
#else
  T value;
  std::memcpy(&value, at, sizeof(value));
  return value;
#endif
}
HANGAR_EVERYWHERE float load_half(const std::uint8_t* at) {
#ifdef __CUDA_ARCH__
  return __half2float(load<__half>(at));
#else
  return half_to_float(load<std::uint16_t>(at));
#endif
}

// Of 32 nibbles in 16 bytes, the second half above the first.
HANGAR_EVERYWHERE int nibble(const std::uint8_t* nibbles, int i) {
  return (nibbles[i & 15] >> (i >> 4 << 2)) & 15;
}
// The same with a fifth bit of each in four bytes.
HANGAR_EVERYWHERE int five_bits(const std::uint8_t* high, const std::uint8_t* nibbles, int i) {
  return nibble(nibbles, i) | ((high[i >> 3] >> (i & 7) & 1) << 4);
}

struct F32 {
  static constexpr int kElements = 1;
  static constexpr int kBytes = 4;
  static HANGAR_EVERYWHERE float at(const std::uint8_t* block, int /*i*/) {
    return load<float>(block);
  }
};

struct F16 {
  static constexpr int kElements = 1;
  static constexpr int kBytes = 2;
  static HANGAR_EVERYWHERE float at(const std::uint8_t* block, int /*i*/) {
    return load_half(block);
  }
};

struct Bf16 {
  static constexpr int kElements = 1;
  static constexpr int kBytes = 2;
  static HANGAR_EVERYWHERE float at(const std::uint8_t* block, int /*i*/) {
    const std::uint32_t bits = std::uint32_t{load<std::uint16_t>(block)} << 16U;
#ifdef __CUDA_ARCH__
    return __uint_as_float(bits);
#else
    return std::bit_cast<float>(bits);
#endif
  }
};

struct Q4_0 {
  static constexpr int kElements = 32;
  static constexpr int kBytes = 18;
  static HANGAR_EVERYWHERE float at(const std::uint8_t* block, int i) {
    return times(load_half(block), static_cast<float>(nibble(block + 2, i) - 8));
  }
};

struct Q4_1 {
  static constexpr int kElements = 32;
  static constexpr int kBytes = 20;
  static HANGAR_EVERYWHERE float at(const std::uint8_t* block, int i) {
    const float product = times(load_half(block), static_cast<float>(nibble(block + 4, i)));
    return plus(product, load_half(block + 2));
  }
};

struct Q5_0 {
  static constexpr int kElements = 32;
  static constexpr int kBytes = 22;
  static HANGAR_EVERYWHERE float at(const std::uint8_t* block, int i) {
    return times(load_half(block), static_cast<float>(five_bits(block + 2, block + 6, i) - 16));
  }
};

struct Q5_1 {
  static constexpr int kElements = 32;
  static constexpr int kBytes = 24;
  static HANGAR_EVERYWHERE float at(const std::uint8_t* block, int i) {
    const int q = five_bits(block + 4, block + 8, i);
    return plus(times(load_half(block), static_cast<float>(q)), load_half(block + 2));
  }
};

struct Q8_0 {
  static constexpr int kElements = 32;
  static constexpr int kBytes = 34;
  static HANGAR_EVERYWHERE float at(const std::uint8_t* block, int i) {
    const auto q = static_cast<std::int8_t>(block[2 + i]);
    return times(load_half(block), static_cast<float>(q));
  }
};

// Q4_K and Q5_K: integer q of group `group`, by the 6-bit scale and minimum of the group.
HANGAR_EVERYWHERE float k_scaled(const std::uint8_t* block, int group, int q) {
  const std::uint8_t* packed = block + 4;
  int scale = 0;
  int minimum = 0;
  if (group < 4) {
    scale = packed[group] & 63;
    minimum = packed[group + 4] & 63;
  } else {
    scale = (packed[group + 4] & 15) | (packed[group - 4] >> 6 << 4);
    minimum = (packed[group + 4] >> 4) | (packed[group] >> 6 << 4);
  }
  const float s = times(load_half(block), static_cast<float>(scale));
  const float m = times(load_half(block + 2), static_cast<float>(minimum));
  return plus(times(s, static_cast<float>(q)), -m);
}
// Two groups in 32 bytes, the second above the first.
HANGAR_EVERYWHERE int k_nibble(const std::uint8_t* nibbles, int i) {
  return (nibbles[(i >> 6 << 5) + (i & 31)] >> (i >> 5 & 1) * 4) & 15;
}

struct Q4K {
  static constexpr int kElements = 256;
  static constexpr int kBytes = 144;
  static HANGAR_EVERYWHERE float at(const std::uint8_t* block, int i) {
    return k_scaled(block, i >> 5, k_nibble(block + 16, i));
  }
};

struct Q5K {
  static constexpr int kElements = 256;
  static constexpr int kBytes = 176;
  static HANGAR_EVERYWHERE float at(const std::uint8_t* block, int i) {
    const int group = i >> 5;
    const int top = block[16 + (i & 31)] >> group & 1;
    return k_scaled(block, group, k_nibble(block + 48, i) | (top << 4));
  }
};

struct Q6K {
  static constexpr int kElements = 256;
  static constexpr int kBytes = 210;
  static HANGAR_EVERYWHERE float at(const std::uint8_t* block, int i) {
    const int half = i >> 7;
    const int quarter = i >> 5 & 3;
    const int j = i & 31;
    const int low = block[half * 64 + (quarter & 1) * 32 + j] >> (quarter >> 1) * 4 & 15;
    const int top = block[128 + half * 32 + j] >> 2 * quarter & 3;
    const auto scale = static_cast<std::int8_t>(block[192 + (i >> 4)]);
    const float s = times(load_half(block + 208), static_cast<float>(scale));
    return times(s, static_cast<float>((low | (top << 4)) - 32));
  }
};

struct Int4G32 {
  static constexpr int kElements = 32;
  static constexpr int kBytes = 24;
  static HANGAR_EVERYWHERE float at(const std::uint8_t* block, int i) {
    const auto zero = static_cast<float>(load<std::int32_t>(block + 4));
    return times(load<float>(block), plus(static_cast<float>(nibble(block + 8, i)), -zero));
  }
};

struct Int8G32 {
  static constexpr int kElements = 32;
  static constexpr int kBytes = 40;
  static HANGAR_EVERYWHERE float at(const std::uint8_t* block, int i) {
    const auto zero = static_cast<float>(load<std::int32_t>(block + 4));
    return times(load<float>(block), plus(static_cast<float>(block[8 + i]), -zero));
  }
};

}  // namespace hangar::cuda::forms

#undef HANGAR_EVERYWHERE
