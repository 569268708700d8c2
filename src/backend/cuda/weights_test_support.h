// What the tests of weights on the card share: a loader with memory of its own, and what it made.
//
// Promise: runs once for each type of 16 bits; skipped without a card. Memory runs out at limit_.
// Threads: one.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "backend/cpu/ops_test_support.h"
#include "backend/cuda/launch.h"
#include "backend/cuda/testing.h"
#include "backend/cuda/weights.h"
#include "base/mapped_file.h"

namespace hangar::cuda {

// The views' bytes behind one another in a file, each at an odd place; the views show its mapping
// afterwards.
inline MappedFile in_a_file(std::vector<TensorView>& views, const std::filesystem::path& path) {
  std::vector<std::byte> all(12);
  std::vector<std::size_t> places;
  for (const TensorView& view : views) {
    places.push_back(all.size());
    all.insert(all.end(), view.data.begin(), view.data.end());
  }
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(all.data()), std::ssize(all));
  MappedFile file = MappedFile::open(path).value();
  for (std::size_t i = 0; i < views.size(); ++i) {
    views[i].data = file.bytes().subspan(places[i], views[i].data.size());
  }
  return file;
}

inline constexpr DType kAllTypes[] = {
    DType::kF32,   DType::kF16,     DType::kBF16,    DType::kQ4_0,   DType::kQ4_1,
    DType::kQ5_0,  DType::kQ5_1,    DType::kQ8_0,    DType::kQ2_K,   DType::kQ3_K,
    DType::kQ4_K,  DType::kQ5_K,    DType::kQ6_K,    DType::kIQ4_NL, DType::kIQ4_XS,
    DType::kMXFP4, DType::kInt4G32, DType::kInt8G32, DType::kF8E4M3};

class CudaWeightsTestBase : public cpu::OpsTest, public testing::WithParamInterface<DType> {
 protected:
  static constexpr std::size_t kArenaBytes = std::size_t{512} << 20U;

  CudaWeightsTestBase() : OpsTest(1) {}
  void SetUp() override {
    if (!card_present()) GTEST_SKIP() << "no CUDA card here";
    HANGAR_CUDA(cudaMalloc(&arena_, kArenaBytes));
    loader_ = std::make_unique<WeightLoader>(
        [this](std::size_t bytes, std::size_t alignment) { return take(bytes, alignment); },
        GetParam(), 3);
  }
  void TearDown() override {
    loader_.reset();
    (void)cudaFree(arena_);
  }

  void* take(std::size_t bytes, std::size_t alignment) {
    used_ = (used_ + alignment - 1) / alignment * alignment;
    if (used_ + bytes > limit_) return nullptr;
    std::byte* at = static_cast<std::byte*>(arena_) + used_;
    used_ += bytes;
    return at;
  }
  float rounded(float value) const {
    return GetParam() == DType::kBF16 ? bfloat16_to_float(float_to_bfloat16(value))
                                      : half_to_float(float_to_half(value));
  }
  // The card's numbers.
  std::vector<float> numbers_of(const CudaWeight& weight) {
    loader_->finish();
    const auto elements = static_cast<std::size_t>(weight.rows * weight.columns);
    std::vector<float> values(elements);
    if (weight.dtype == DType::kF32) {
      HANGAR_CUDA(cudaMemcpy(values.data(), weight.data, 4 * elements, cudaMemcpyDeviceToHost));
      return values;
    }
    std::vector<std::uint16_t> bits(elements);
    HANGAR_CUDA(cudaMemcpy(bits.data(), weight.data, 2 * elements, cudaMemcpyDeviceToHost));
    for (std::size_t i = 0; i < elements; ++i) {
      values[i] =
          weight.dtype == DType::kBF16 ? bfloat16_to_float(bits[i]) : half_to_float(bits[i]);
    }
    return values;
  }

  std::unique_ptr<WeightLoader> loader_;
  void* arena_ = nullptr;
  std::size_t used_ = 0;
  std::size_t limit_ = kArenaBytes;
};

}  // namespace hangar::cuda
