// The launches of the 4-bit products' kernels.
//
// Promise: each is int4_matmul() for its part: one or two rows and few rows of any form,
//   and more rows of the forms whose parameters lie so, a file for each.
// Threads: as int4_matmul().
#pragma once

#include "backend/cuda/int4_matmul.h"
#include "backend/cuda/int4_plan.h"
#include "backend/cuda/launch.h"
#include "backend/cuda/product.h"

namespace hangar::cuda::int4 {

void multiply_direct(const Launch& launch, const Product& product, const Int4Way& way,
                     const Int4Plan& plan);
void multiply_few(const Launch& launch, const Product& product, const Int4Way& way,
                  const Int4Plan& plan);
// More than 32 rows by groups of 128, where it suits: int4_tile_halves.cuh, in tiles of 64 or of
// 128 rows.
bool takes_halves(const Product& product, const Int4Way& way, const Int4Plan& plan);
void multiply_halves(const Launch& launch, const Product& product, const Int4Way& way,
                     const Int4Plan& plan);
void multiply_halves_64(const Launch& launch, const Product& product, const Int4Way& way,
                        const Int4Plan& plan);
void multiply_group128(const Launch& launch, const Product& product, const Int4Way& way,
                       const Int4Plan& plan);
void multiply_pairs32(const Launch& launch, const Product& product, const Int4Way& way,
                      const Int4Plan& plan);
void multiply_super32(const Launch& launch, const Product& product, const Int4Way& way,
                      const Int4Plan& plan);

}  // namespace hangar::cuda::int4
