#include "backend/cuda/tensor_map.h"

#include <cassert>
#include <span>

#include "backend/cuda/launch.h"

namespace hangar::cuda {
namespace {

using Encode = decltype(&cuTensorMapEncodeTiled);

// The driver's function, which the runtime finds: no library of the driver's is linked.
Encode find_encode() {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
  constexpr unsigned kSinceVersion = 12000;
  HANGAR_CUDA(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, kSinceVersion,
                                               cudaEnableDefault, &found));
  if (found != cudaDriverEntryPointSuccess) {
    throw CudaError(cudaErrorNotSupported, "cuTensorMapEncodeTiled");
  }
  return reinterpret_cast<Encode>(function);
}

// Of bytes, or of eights of them: what the numbers are does not matter to a copy.
CUtensorMap encode(const void* data, std::span<const cuuint64_t> sizes,
                   std::span<const cuuint64_t> strides, std::span<const cuuint32_t> box,
                   CUtensorMapSwizzle swizzle = CU_TENSOR_MAP_SWIZZLE_128B,
                   CUtensorMapL2promotion promotion = CU_TENSOR_MAP_L2_PROMOTION_NONE,
                   CUtensorMapDataType unit = CU_TENSOR_MAP_DATA_TYPE_UINT8) {
  static const Encode function = find_encode();
  constexpr cuuint32_t kEach[] = {1, 1, 1, 1, 1};
  CUtensorMap map{};
  const CUresult result =
      function(&map, unit, static_cast<cuuint32_t>(sizes.size()), const_cast<void*>(data),
               sizes.data(), strides.data(), box.data(), kEach, CU_TENSOR_MAP_INTERLEAVE_NONE,
               swizzle, promotion, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS) throw CudaError(cudaErrorInvalidValue, "cuTensorMapEncodeTiled");
  return map;
}

constexpr cuuint64_t size(std::int64_t value) {
  return static_cast<cuuint64_t>(value);
}

}  // namespace

CUtensorMap matrix_boxes(const void* data, std::int64_t rows, std::int64_t row_bytes,
                         std::int64_t stride_bytes, int box_rows, int boxes) {
  assert(row_bytes % kBoxBytes == 0 && stride_bytes % 16 == 0);
  const cuuint64_t sizes[] = {kBoxBytes, size(rows), size(row_bytes / kBoxBytes)};
  const cuuint64_t strides[] = {size(stride_bytes), kBoxBytes};
  const cuuint32_t box[] = {kBoxBytes, static_cast<cuuint32_t>(box_rows),
                            static_cast<cuuint32_t>(boxes)};
  return encode(data, sizes, strides, box);
}

CUtensorMap gated_boxes(const void* data, std::int64_t rows, std::int64_t row_bytes, int box_rows,
                        int boxes) {
  assert(row_bytes % kBoxBytes == 0 && rows % 8 == 0 && box_rows % 16 == 0);
  const cuuint64_t sizes[] = {kBoxBytes, 8, 2, size(rows / 8), size(row_bytes / kBoxBytes)};
  const cuuint64_t strides[] = {size(row_bytes), size(rows * row_bytes), size(8 * row_bytes),
                                kBoxBytes};
  const cuuint32_t box[] = {kBoxBytes, 8, 2, static_cast<cuuint32_t>(box_rows / 16),
                            static_cast<cuuint32_t>(boxes)};
  return encode(data, sizes, strides, box);
}

CUtensorMap strip_boxes(const void* data, std::int64_t strips, std::int64_t column_blocks,
                        std::int64_t block_bytes, std::int64_t second_bytes, int box_strips,
                        int box_blocks) {
  constexpr std::int64_t kUnit = 8;  // a box is at most 256 of them wide
  assert(block_bytes % 16 == 0 && second_bytes % 16 == 0);
  const int matrices = second_bytes > 0 ? 2 : 1;
  const std::int64_t strip_bytes = column_blocks * block_bytes;
  const cuuint64_t sizes[] = {size(block_bytes / kUnit), size(column_blocks), size(strips),
                              size(matrices)};
  const cuuint64_t strides[] = {size(block_bytes), size(strip_bytes),
                                size(second_bytes > 0 ? second_bytes : strips * strip_bytes)};
  const cuuint32_t box[] = {static_cast<cuuint32_t>(block_bytes / kUnit),
                            static_cast<cuuint32_t>(box_blocks),
                            static_cast<cuuint32_t>(box_strips), static_cast<cuuint32_t>(matrices)};
  return encode(data, sizes, strides, box, CU_TENSOR_MAP_SWIZZLE_NONE,
                CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_DATA_TYPE_INT64);
}

CUtensorMap output_boxes(const void* data, std::int64_t rows, std::int64_t row_bytes,
                         std::int64_t stride_bytes, int box_rows) {
  assert(stride_bytes % 16 == 0);
  const cuuint64_t sizes[] = {size(row_bytes), size(rows)};
  const cuuint64_t strides[] = {size(stride_bytes)};
  const cuuint32_t box[] = {kOutputBoxBytes, static_cast<cuuint32_t>(box_rows)};
  return encode(data, sizes, strides, box, CU_TENSOR_MAP_SWIZZLE_64B);
}

CUtensorMap query_boxes(const void* data, std::int64_t rows, std::int64_t heads,
                        std::int32_t head_dim, std::int64_t stride_bytes, int part_bytes,
                        int box_rows, int box_heads) {
  const std::int64_t head_bytes = 2 * std::int64_t{head_dim};
  assert((part_bytes == 64 || part_bytes == 128) && head_bytes % part_bytes == 0);
  const cuuint64_t sizes[] = {size(part_bytes), size(heads), size(rows),
                              size(head_bytes / part_bytes)};
  const cuuint64_t strides[] = {size(head_bytes), size(stride_bytes), size(part_bytes)};
  const cuuint32_t box[] = {static_cast<cuuint32_t>(part_bytes), static_cast<cuuint32_t>(box_heads),
                            static_cast<cuuint32_t>(box_rows), 1};
  return encode(data, sizes, strides, box,
                part_bytes == 128 ? CU_TENSOR_MAP_SWIZZLE_128B : CU_TENSOR_MAP_SWIZZLE_64B,
                CU_TENSOR_MAP_L2_PROMOTION_L2_256B);
}

CUtensorMap cache_boxes(const void* data, std::int32_t head_dim, int part_bytes) {
  const std::int64_t head_bytes = 2 * std::int64_t{head_dim};
  const std::int64_t parts = head_bytes / part_bytes;
  // How large the cache is is not asked: what no box names is not touched.
  constexpr cuuint64_t kGroups = 1U << 28U;
  const cuuint64_t sizes[] = {size(part_bytes), 8, size(parts), kGroups};
  const cuuint64_t strides[] = {size(head_bytes), size(part_bytes), size(8 * head_bytes)};
  const cuuint32_t box[] = {static_cast<cuuint32_t>(part_bytes), 8, static_cast<cuuint32_t>(parts),
                            2};
  return encode(data, sizes, strides, box, CU_TENSOR_MAP_SWIZZLE_NONE,
                CU_TENSOR_MAP_L2_PROMOTION_L2_256B);
}

}  // namespace hangar::cuda
