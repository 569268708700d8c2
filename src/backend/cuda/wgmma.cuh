// wgmma: a warpgroup's matrix instruction on Hopper, and what goes with it.
//
// Promise: multiply_64<N>() begins sums {64, N} += A {64, 32 bytes} B {N, 32 bytes}^T, both in
//   shared memory as tensor_map.h brings them: rows of 128 bytes, 16-byte chunks swizzled by the
//   row's number modulo 8. begin() before the first of several, end() after the last; wait() until
//   they are done, wait_but_one() until all but the last that was ended are, before the sums or the
//   memory are touched. Without `add`: sums = A B^T.
// Fragments: of thread t of the warpgroup, w = t / 32, l = t % 32: sums[4 j + 2 h + c] is row 16 w
//   + l / 4 + 8 h, column 8 j + 2 (l % 4) + c.
// Source: PTX ISA 9.0, "Asynchronous warpgroup level matrix multiply-accumulate".
// Threads: device functions; all 128 threads of a warpgroup call them together.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstdint>
#include <type_traits>

namespace hangar::cuda::wgmma {

// Of a matrix that begins at an address whose row's number modulo 8 is 0: swizzle of 128 bytes,
// groups of 8 rows 1024 bytes apart. Adding n moves it by 16 n bytes.
__device__ __forceinline__ std::uint64_t descriptor(std::uint32_t address) {
  constexpr std::uint64_t kGroupStride = 1024 / 16;
  constexpr std::uint64_t kSwizzle128 = 1;
  return ((address & 0x3FFFFU) >> 4U) | (std::uint64_t{1} << 16U) | (kGroupStride << 32U) |
         (kSwizzle128 << 62U);
}

// The compiler must not move what touches the sums over the instructions between.
template <int kCount>
__device__ __forceinline__ void pin(float (&sums)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(sums[i])::"memory");
}
template <int kCount>
__device__ __forceinline__ void pin(std::uint32_t (&operand)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+r"(operand[i])::"memory");
}

template <typename T, int kCount>
__device__ __forceinline__ void begin(T (&registers)[kCount]) {
  pin(registers);
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ __forceinline__ void end() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
template <int kCount>
__device__ __forceinline__ void wait(float (&sums)[kCount]) {
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
  pin(sums);
}

template <int kCount>
__device__ __forceinline__ void wait_but_one(float (&sums)[kCount]) {
  asm volatile("wgmma.wait_group.sync.aligned 1;" ::: "memory");
  pin(sums);
}

__device__ __forceinline__ void multiply_64(float (&d)[4], std::uint64_t a, std::uint64_t b,
                                            __nv_bfloat16) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3}, "
      "%4, %5, 1, 1, 1, 0, 0;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "l"(a), "l"(b));
}
__device__ __forceinline__ void multiply_64(float (&d)[4], std::uint64_t a, std::uint64_t b,
                                            __half) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 {"
      "%0, %1, %2, %3}, "
      "%4, %5, 1, 1, 1, 0, 0;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "l"(a), "l"(b));
}
__device__ __forceinline__ void multiply_64(float (&d)[4], std::uint64_t a, std::uint64_t b,
                                            __nv_fp8_e4m3) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n8k32.f32.e4m3.e4m3 {"
      "%0, %1, %2, %3}, "
      "%4, %5, 1, 1, 1;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "l"(a), "l"(b));
}
__device__ __forceinline__ void multiply_64(float (&d)[8], std::uint64_t a, std::uint64_t b,
                                            __nv_bfloat16) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7}, "
      "%8, %9, 1, 1, 1, 0, 0;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
        "+f"(d[7])
      : "l"(a), "l"(b));
}
__device__ __forceinline__ void multiply_64(float (&d)[8], std::uint64_t a, std::uint64_t b,
                                            __half) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n16k16.f32.f16.f16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7}, "
      "%8, %9, 1, 1, 1, 0, 0;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
        "+f"(d[7])
      : "l"(a), "l"(b));
}
__device__ __forceinline__ void multiply_64(float (&d)[8], std::uint64_t a, std::uint64_t b,
                                            __nv_fp8_e4m3) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n16k32.f32.e4m3.e4m3 {"
      "%0, %1, %2, %3, %4, %5, %6, %7}, "
      "%8, %9, 1, 1, 1;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
        "+f"(d[7])
      : "l"(a), "l"(b));
}
__device__ __forceinline__ void multiply_64(float (&d)[16], std::uint64_t a, std::uint64_t b,
                                            __nv_bfloat16) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
      "%12, %13, %14, %15}, "
      "%16, %17, 1, 1, 1, 0, 0;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
        "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]),
        "+f"(d[14]), "+f"(d[15])
      : "l"(a), "l"(b));
}
__device__ __forceinline__ void multiply_64(float (&d)[16], std::uint64_t a, std::uint64_t b,
                                            __half) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n32k16.f32.f16.f16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
      "%12, %13, %14, %15}, "
      "%16, %17, 1, 1, 1, 0, 0;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
        "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]),
        "+f"(d[14]), "+f"(d[15])
      : "l"(a), "l"(b));
}
__device__ __forceinline__ void multiply_64(float (&d)[16], std::uint64_t a, std::uint64_t b,
                                            __nv_fp8_e4m3) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n32k32.f32.e4m3.e4m3 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
      "%12, %13, %14, %15}, "
      "%16, %17, 1, 1, 1;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
        "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]),
        "+f"(d[14]), "+f"(d[15])
      : "l"(a), "l"(b));
}
__device__ __forceinline__ void multiply_64(float (&d)[32], std::uint64_t a, std::uint64_t b,
                                            __nv_bfloat16) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
      "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
      "%24, %25, %26, %27, %28, %29, %30, %31}, "
      "%32, %33, 1, 1, 1, 0, 0;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
        "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]),
        "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]),
        "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),
        "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
      : "l"(a), "l"(b));
}
__device__ __forceinline__ void multiply_64(float (&d)[32], std::uint64_t a, std::uint64_t b,
                                            __half) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
      "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
      "%24, %25, %26, %27, %28, %29, %30, %31}, "
      "%32, %33, 1, 1, 1, 0, 0;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
        "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]),
        "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]),
        "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),
        "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
      : "l"(a), "l"(b));
}
__device__ __forceinline__ void multiply_64(float (&d)[32], std::uint64_t a, std::uint64_t b,
                                            __nv_fp8_e4m3, bool add = true) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      "setp.ne.b32 p, %34, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n64k32.f32.e4m3.e4m3 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
      "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
      "%24, %25, %26, %27, %28, %29, %30, %31}, "
      "%32, %33, p, 1, 1;\n"
      "}\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
        "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]),
        "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]),
        "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),
        "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
      : "l"(a), "l"(b), "r"(static_cast<int>(add)));
}
__device__ __forceinline__ void multiply_64(float (&d)[64], std::uint64_t a, std::uint64_t b,
                                            __nv_bfloat16) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
      "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
      "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "
      "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "
      "%60, %61, %62, %63}, "
      "%64, %65, 1, 1, 1, 0, 0;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
        "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]),
        "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]),
        "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),
        "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]), "+f"(d[32]), "+f"(d[33]), "+f"(d[34]),
        "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), "+f"(d[40]), "+f"(d[41]),
        "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]), "+f"(d[48]),
        "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]),
        "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]),
        "+f"(d[63])
      : "l"(a), "l"(b));
}
__device__ __forceinline__ void multiply_64(float (&d)[64], std::uint64_t a, std::uint64_t b,
                                            __half) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
      "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
      "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "
      "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "
      "%60, %61, %62, %63}, "
      "%64, %65, 1, 1, 1, 0, 0;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
        "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]),
        "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]),
        "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),
        "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]), "+f"(d[32]), "+f"(d[33]), "+f"(d[34]),
        "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), "+f"(d[40]), "+f"(d[41]),
        "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]), "+f"(d[48]),
        "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]),
        "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]),
        "+f"(d[63])
      : "l"(a), "l"(b));
}
__device__ __forceinline__ void multiply_64(float (&d)[64], std::uint64_t a, std::uint64_t b,
                                            __nv_fp8_e4m3, bool add = true) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      "setp.ne.b32 p, %66, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k32.f32.e4m3.e4m3 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
      "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
      "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "
      "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "
      "%60, %61, %62, %63}, "
      "%64, %65, p, 1, 1;\n"
      "}\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
        "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]),
        "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]),
        "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),
        "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]), "+f"(d[32]), "+f"(d[33]), "+f"(d[34]),
        "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), "+f"(d[40]), "+f"(d[41]),
        "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]), "+f"(d[48]),
        "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]),
        "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]),
        "+f"(d[63])
      : "l"(a), "l"(b), "r"(static_cast<int>(add)));
}

// Products for attention: the first operand may be in registers, the second may lie across. Sums
// are tiles of 8 columns: d[j][2 h + c] is row 16 w + l / 4 + 8 h, column 8 j + 2 (l % 4) + c.
//
// descriptor<kPartBytes>() is of a matrix in groups of 8 rows, each row in parts of 128 or 64
// bytes: 8 rows of a part lie one behind the other, chunks of 16 bytes swizzled by the row as
// kv_chunk() (kv_layer.h) does it. What is summed over runs along the rows, and stride_bytes lie
// from group to group; or across them, and leading_bytes lie from part to part besides.
template <int kPartBytes>
__device__ __forceinline__ std::uint64_t descriptor(std::uint32_t address, int leading_bytes,
                                                    int stride_bytes) {
  static_assert(kPartBytes == 128 || kPartBytes == 64);
  constexpr std::uint64_t kSwizzle = kPartBytes == 128 ? 1 : 2;
  return ((address & 0x3FFFFU) >> 4U) | (static_cast<std::uint64_t>(leading_bytes / 16) << 16U) |
         (static_cast<std::uint64_t>(stride_bytes / 16) << 32U) | (kSwizzle << 62U);
}

template <int kTiles>
__device__ __forceinline__ void pin(float (&d)[kTiles][4]) {
#pragma unroll
  for (int i = 0; i < kTiles; ++i) pin(d[i]);
}
template <int kSteps>
__device__ __forceinline__ void pin(std::uint32_t (&a)[kSteps][4]) {
#pragma unroll
  for (int i = 0; i < kSteps; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) asm volatile("" : "+r"(a[i][j])::"memory");
  }
}
// Between the writing of registers and the instructions that use them.
__device__ __forceinline__ void fence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
// Until all but the last kOpen groups are done. The caller pins what they have made.
template <int kOpen>
__device__ __forceinline__ void wait_for_all_but() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kOpen) : "memory");
}

// clang-format off
#define HANGAR_D4(i) \
  "+f"(d[i][0]), "+f"(d[i][1]), "+f"(d[i][2]), "+f"(d[i][3]), \
  "+f"(d[i + 1][0]), "+f"(d[i + 1][1]), "+f"(d[i + 1][2]), "+f"(d[i + 1][3]), \
  "+f"(d[i + 2][0]), "+f"(d[i + 2][1]), "+f"(d[i + 2][2]), "+f"(d[i + 2][3]), \
  "+f"(d[i + 3][0]), "+f"(d[i + 3][1]), "+f"(d[i + 3][2]), "+f"(d[i + 3][3])
#define HANGAR_SUMS_8 HANGAR_D4(0), HANGAR_D4(4)
#define HANGAR_SUMS_12 HANGAR_SUMS_8, HANGAR_D4(8)
#define HANGAR_SUMS_16 HANGAR_SUMS_12, HANGAR_D4(12)
#define HANGAR_SUMS_32 HANGAR_SUMS_16, HANGAR_D4(16), HANGAR_D4(20), HANGAR_D4(24), HANGAR_D4(28)
#define HANGAR_NAMES_8 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, " \
  "%19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define HANGAR_NAMES_12 HANGAR_NAMES_8 \
  ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47"
#define HANGAR_NAMES_16 HANGAR_NAMES_12 \
  ", %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define HANGAR_NAMES_32 HANGAR_NAMES_16 \
  ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, " \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, %96, " \
  "%97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, " \
  "%111, %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, " \
  "%125, %126, %127"
#define HANGAR_ROWS_8 "{%32, %33, %34, %35}, %36, %37, 1, 1, %38;"
#define HANGAR_ROWS_12 "{%48, %49, %50, %51}, %52, %53, 1, 1, %54;"
#define HANGAR_ROWS_16 "{%64, %65, %66, %67}, %68, %69, 1, 1, %70;"
#define HANGAR_ROWS_32 "{%128, %129, %130, %131}, %132, %133, 1, 1, %134;"
#define HANGAR_BOTH_8 "%32, %33, %34, 1, 1, 0, 0;"
#define HANGAR_BOTH_12 "%48, %49, %50, 1, 1, 0, 0;"
#define HANGAR_BOTH_16 "%64, %65, %66, 1, 1, 0, 0;"
#define HANGAR_MULTIPLY_ROWS(tiles, columns, type)                                     \
  asm volatile("wgmma.mma_async.sync.aligned.m64n" columns "k16.f32." type "." type " {" \
               HANGAR_NAMES_##tiles "}, " HANGAR_ROWS_##tiles                            \
               : HANGAR_SUMS_##tiles                                                     \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b),                     \
                 "n"(kFresh ? 0 : 1), "n"(kAcross ? 1 : 0))
#define HANGAR_MULTIPLY_BOTH(tiles, columns, type)                                       \
  asm volatile("wgmma.mma_async.sync.aligned.m64n" columns "k16.f32." type "." type " {" \
               HANGAR_NAMES_##tiles "}, " HANGAR_BOTH_##tiles                            \
               : HANGAR_SUMS_##tiles                                                     \
               : "l"(a), "l"(b), "n"(kFresh ? 0 : 1))
// clang-format on

// Begins d {64, 8 kTiles} += A B, or, kFresh, = A B: A {64, 16} in registers, each warp's 16 rows
// as m16n8k16 has them; B {16, 8 kTiles}, its columns rows of memory, or, kAcross, its rows.
template <typename T, bool kFresh, bool kAcross, int kTiles>
__device__ __forceinline__ void multiply_rows(float (&d)[kTiles][4], const std::uint32_t (&a)[4],
                                              std::uint64_t b) {
  static_assert(kTiles == 8 || kTiles == 12 || kTiles == 16 || kTiles == 32);
  if constexpr (std::is_same_v<T, __half>) {
    if constexpr (kTiles == 8) HANGAR_MULTIPLY_ROWS(8, "64", "f16");
    if constexpr (kTiles == 12) HANGAR_MULTIPLY_ROWS(12, "96", "f16");
    if constexpr (kTiles == 16) HANGAR_MULTIPLY_ROWS(16, "128", "f16");
    if constexpr (kTiles == 32) HANGAR_MULTIPLY_ROWS(32, "256", "f16");
  } else {
    if constexpr (kTiles == 8) HANGAR_MULTIPLY_ROWS(8, "64", "bf16");
    if constexpr (kTiles == 12) HANGAR_MULTIPLY_ROWS(12, "96", "bf16");
    if constexpr (kTiles == 16) HANGAR_MULTIPLY_ROWS(16, "128", "bf16");
    if constexpr (kTiles == 32) HANGAR_MULTIPLY_ROWS(32, "256", "bf16");
  }
}
// The same with A in memory, its rows along.
template <typename T, bool kFresh, int kTiles>
__device__ __forceinline__ void multiply_both(float (&d)[kTiles][4], std::uint64_t a,
                                              std::uint64_t b) {
  static_assert(kTiles == 8 || kTiles == 12 || kTiles == 16);
  if constexpr (std::is_same_v<T, __half>) {
    if constexpr (kTiles == 8) HANGAR_MULTIPLY_BOTH(8, "64", "f16");
    if constexpr (kTiles == 12) HANGAR_MULTIPLY_BOTH(12, "96", "f16");
    if constexpr (kTiles == 16) HANGAR_MULTIPLY_BOTH(16, "128", "f16");
  } else {
    if constexpr (kTiles == 8) HANGAR_MULTIPLY_BOTH(8, "64", "bf16");
    if constexpr (kTiles == 12) HANGAR_MULTIPLY_BOTH(12, "96", "bf16");
    if constexpr (kTiles == 16) HANGAR_MULTIPLY_BOTH(16, "128", "bf16");
  }
}

#undef HANGAR_D4
#undef HANGAR_SUMS_8
#undef HANGAR_SUMS_12
#undef HANGAR_SUMS_16
#undef HANGAR_SUMS_32
#undef HANGAR_NAMES_8
#undef HANGAR_NAMES_12
#undef HANGAR_NAMES_16
#undef HANGAR_NAMES_32
#undef HANGAR_ROWS_8
#undef HANGAR_ROWS_12
#undef HANGAR_ROWS_16
#undef HANGAR_ROWS_32
#undef HANGAR_BOTH_8
#undef HANGAR_BOTH_12
#undef HANGAR_BOTH_16
#undef HANGAR_MULTIPLY_ROWS
#undef HANGAR_MULTIPLY_BOTH

}  // namespace hangar::cuda::wgmma
