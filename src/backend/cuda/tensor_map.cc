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

// Of bytes: what the numbers are does not matter to a copy.
CUtensorMap encode(const void* data, std::span<const cuuint64_t> sizes,
                   std::span<const cuuint64_t> strides, std::span<const cuuint32_t> box) {
  static const Encode function = find_encode();
  constexpr cuuint32_t kEach[] = {1, 1, 1, 1, 1};
  CUtensorMap map{};
  const CUresult result =
      function(&map, CU_TENSOR_MAP_DATA_TYPE_UINT8, static_cast<cuuint32_t>(sizes.size()),
               const_cast<void*>(data), sizes.data(), strides.data(), box.data(), kEach,
               CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
               CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
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

}  // namespace hangar::cuda
