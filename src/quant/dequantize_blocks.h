// One block of each quantized type to floats; dequantize.cc calls these over a row.
//
// Promise: as dequantize_row. Shapes: 32 elements a block, 256 for the K types and IQ4_XS.
// Threads: pure functions.
#pragma once

#include <cstdint>

namespace hangar {

void dequantize_q4_0(const std::uint8_t* block, float* out);
void dequantize_q4_1(const std::uint8_t* block, float* out);
void dequantize_q5_0(const std::uint8_t* block, float* out);
void dequantize_q5_1(const std::uint8_t* block, float* out);
void dequantize_q8_0(const std::uint8_t* block, float* out);
void dequantize_q2_k(const std::uint8_t* block, float* out);
void dequantize_q3_k(const std::uint8_t* block, float* out);
void dequantize_q4_k(const std::uint8_t* block, float* out);
void dequantize_q5_k(const std::uint8_t* block, float* out);
void dequantize_q6_k(const std::uint8_t* block, float* out);
void dequantize_iq4_nl(const std::uint8_t* block, float* out);
void dequantize_iq4_xs(const std::uint8_t* block, float* out);
void dequantize_mxfp4(const std::uint8_t* block, float* out);
void dequantize_int4_g32(const std::uint8_t* block, float* out);
void dequantize_int8_g32(const std::uint8_t* block, float* out);

}  // namespace hangar
