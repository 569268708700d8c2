// What the tests of products share: the card's memory, numbers of the work type, products in
// double.
//
// Promise: what is put on the card is surrounded by NaN, and so is what is read back: an operation
//   that reads or writes beside its operands shows. expect_product() allows what sums in float32
//   and one rounding of the output cost, and `inputs` of the sum of magnitudes besides.
// Threads: one.
#pragma once

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backend/cuda/device_arch.h"
#include "backend/cuda/launch.h"
#include "backend/cuda/product.h"
#include "backend/cuda/testing.h"
#include "backend/cuda/weights.h"
#include "tensor/activation.h"
#include "tensor/float16.h"
#include "tensor/float8.h"

namespace hangar::cuda {

using Numbers = std::vector<float>;

// The nearest of e4m3's numbers; of two equally near ones the even code. What is larger than all:
// the largest.
inline std::uint8_t float_to_float8(float value) {
  const float magnitude = std::min(std::abs(value), 448.0F);
  std::uint8_t below = 0;
  for (std::uint8_t step = 64; step > 0; step /= 2) {
    if (below + step < 0x7F && float8_e4m3_to_float(below + step) <= magnitude) below += step;
  }
  const std::uint8_t above = below < 0x7E ? below + 1 : below;
  const float down = magnitude - float8_e4m3_to_float(below);
  const float up = float8_e4m3_to_float(above) - magnitude;
  const std::uint8_t code = down < up || (down == up && below % 2 == 0) ? below : above;
  return std::signbit(value) ? code | 0x80U : code;
}

inline float round_to(DType type, float value) {
  if (type == DType::kF8E4M3) return float8_e4m3_to_float(float_to_float8(value));
  if (type == DType::kBF16) return bfloat16_to_float(float_to_bfloat16(value));
  return type == DType::kF16 ? half_to_float(float_to_half(value)) : value;
}

inline std::vector<std::byte> encode(DType type, const Numbers& values) {
  std::vector<std::byte> bytes(row_bytes(type, std::ssize(values)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (type == DType::kF32) {
      std::memcpy(bytes.data() + 4 * i, &values[i], 4);
    } else if (type == DType::kF8E4M3) {
      bytes[i] = static_cast<std::byte>(float_to_float8(values[i]));
    } else {
      const std::uint16_t bits =
          type == DType::kBF16 ? float_to_bfloat16(values[i]) : float_to_half(values[i]);
      std::memcpy(bytes.data() + 2 * i, &bits, 2);
    }
  }
  return bytes;
}

inline Numbers decode(DType type, const std::vector<std::byte>& bytes) {
  Numbers values(bytes.size() / (type == DType::kF32 ? 4 : 2));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (type == DType::kF32) {
      std::memcpy(&values[i], bytes.data() + 4 * i, 4);
    } else {
      std::uint16_t bits = 0;
      std::memcpy(&bits, bytes.data() + 2 * i, 2);
      values[i] = type == DType::kBF16 ? bfloat16_to_float(bits) : half_to_float(bits);
    }
  }
  return values;
}

// x W^T, sums in double; W {.., columns}.
inline Numbers product_in_double(const Numbers& x, const Numbers& w, std::int64_t rows,
                                 std::int64_t columns) {
  const std::int64_t outputs = std::ssize(w) / columns;
  Numbers y;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t o = 0; o < outputs; ++o) {
      double sum = 0.0;
      for (std::int64_t c = 0; c < columns; ++c) {
        sum += static_cast<double>(x[static_cast<std::size_t>(r * columns + c)]) *
               static_cast<double>(w[static_cast<std::size_t>(o * columns + c)]);
      }
      y.push_back(static_cast<float>(sum));
    }
  }
  return y;
}

// How far got is from want, of want's length.
inline double off(const Numbers& got, const Numbers& want) {
  double error = 0.0;
  double size = 0.0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    error += std::pow(static_cast<double>(got[i]) - static_cast<double>(want[i]), 2);
    size += std::pow(static_cast<double>(want[i]), 2);
  }
  return std::sqrt(error / size);
}

class ProductTest : public testing::TestWithParam<DType> {
 protected:
  static constexpr std::size_t kArenaBytes = std::size_t{768} << 20U;

  void SetUp() override {
    if (!card_present()) GTEST_SKIP() << "no CUDA card here";
    cudaDeviceProp card{};
    HANGAR_CUDA(cudaGetDeviceProperties(&card, 0));
    HANGAR_CUDA(cudaStreamCreateWithFlags(&launch_.stream, cudaStreamNonBlocking));
    launch_.processors = card.multiProcessorCount;
    launch_.hopper = card.major == 9 && runs_hopper_code();
    launch_.overlap = launch_.hopper;
    HANGAR_CUDA(cudaMalloc(&arena_, kArenaBytes));
  }
  void TearDown() override {
    if (launch_.stream == nullptr) return;
    EXPECT_EQ(cudaStreamSynchronize(launch_.stream), cudaSuccess);
    (void)cudaStreamDestroy(launch_.stream);
    (void)cudaFree(arena_);
  }

  DType type() const { return GetParam(); }
  float epsilon() const { return type() == DType::kBF16 ? 0x1p-8F : 0x1p-11F; }

  void* take(std::size_t bytes, std::size_t alignment) {
    used_ = (used_ + alignment - 1) / alignment * alignment;
    if (used_ + bytes > kArenaBytes) return nullptr;
    std::byte* at = static_cast<std::byte*>(arena_) + used_;
    used_ += bytes;
    return at;
  }
  // Everything taken so far is given back.
  void start_over() {
    HANGAR_CUDA(cudaStreamSynchronize(launch_.stream));
    used_ = 0;
  }

  Numbers random(std::int64_t count, DType to, float deviation = 1.0F) {
    std::normal_distribution<float> normal(0.0F, deviation);
    Numbers values(static_cast<std::size_t>(count));
    for (float& value : values) value = round_to(to, normal(random_));
    return values;
  }

  // {rows, columns} with NaN between the rows and around; `offset` elements off an aligned place.
  Activation put(const Numbers& values, std::int64_t rows, std::int64_t columns, DType to,
                 std::int64_t stride = 0, std::int64_t offset = 0) {
    Activation x{nullptr, rows, columns, to, stride};
    const std::int64_t total = offset + rows * x.row_stride() + 64;
    Numbers all(static_cast<std::size_t>(total), std::nanf(""));
    for (std::int64_t r = 0; r < rows && !values.empty(); ++r) {
      std::copy_n(values.begin() + r * columns, columns, all.begin() + offset + r * x.row_stride());
    }
    const std::vector<std::byte> bytes = encode(to, all);
    auto* at = static_cast<std::byte*>(take(bytes.size(), 256));
    HANGAR_CUDA(
        cudaMemcpyAsync(at, bytes.data(), bytes.size(), cudaMemcpyHostToDevice, launch_.stream));
    HANGAR_CUDA(cudaStreamSynchronize(launch_.stream));
    x.data = at + row_bytes(to, offset);
    return x;
  }
  Activation empty(std::int64_t rows, std::int64_t columns, DType to, std::int64_t stride = 0,
                   std::int64_t offset = 0) {
    return put({}, rows, columns, to, stride, offset);
  }
  // And checks that what lies between and behind the rows is NaN still.
  Numbers get(Activation x) {
    const std::int64_t total = x.rows * x.row_stride() + 64;
    std::vector<std::byte> bytes(row_bytes(x.dtype, total));
    HANGAR_CUDA(cudaMemcpyAsync(bytes.data(), x.data, bytes.size(), cudaMemcpyDeviceToHost,
                                launch_.stream));
    HANGAR_CUDA(cudaStreamSynchronize(launch_.stream));
    const Numbers all = decode(x.dtype, bytes);
    Numbers values;
    for (std::int64_t at = 0; at < total; ++at) {
      const bool inside = at / x.row_stride() < x.rows && at % x.row_stride() < x.columns;
      const float value = all[static_cast<std::size_t>(at)];
      if (inside) values.push_back(value);
      if (!inside && !std::isnan(value)) {
        ADD_FAILURE() << "written beside row " << at / x.row_stride();
        break;
      }
    }
    return values;
  }

  // Columns [first, first + columns) of a wider matrix.
  static Activation part(Activation whole, std::int64_t first, std::int64_t columns) {
    auto* data = static_cast<std::byte*>(whole.data) + row_bytes(whole.dtype, first);
    return {data, whole.rows, columns, whole.dtype, whole.row_stride()};
  }

  // In memory one behind the other if made so and rows are multiples of 16 bytes.
  std::unique_ptr<CudaWeight> weight(const Numbers& values, std::int64_t rows,
                                     std::int64_t columns) {
    auto made = std::make_unique<CudaWeight>();
    made->rows = rows;
    made->columns = columns;
    made->layout = rows == 1 ? WeightForm::kVector : WeightForm::kDense;
    made->dtype = rows == 1 ? DType::kF32 : type();
    const std::vector<std::byte> bytes = encode(made->dtype, values);
    made->data = take(bytes.size(), 16);
    HANGAR_CUDA(cudaMemcpyAsync(made->data, bytes.data(), bytes.size(), cudaMemcpyHostToDevice,
                                launch_.stream));
    HANGAR_CUDA(cudaStreamSynchronize(launch_.stream));
    return made;
  }

  // y = x W^T; `weight` {y.columns, x.columns} of this type.
  Product product_of(const void* weight, DType weight_type, Activation x, Activation y,
                     ProductOutput output) const {
    Product product;
    product.type = type();
    product.weight = weight;
    product.weight_type = weight_type;
    product.outputs = y.columns;
    product.columns = x.columns;
    product.rows = x.rows;
    product.x = x.data;
    product.x_stride = x.row_stride();
    product.output = output;
    product.y = y.data;
    product.y_stride = y.row_stride();
    return product;
  }

  // Of rows of x that are multiplied as they are or, with a norm's weights, normed on the way: of
  // the work type, or of float32. y is still to be put.
  Product product_on_the_way(const void* weight, DType weight_type, const Numbers& x,
                             std::int64_t rows, std::int64_t outputs, const Numbers& norm,
                             float eps, bool gate, ProductOutput output) {
    const std::int64_t columns = std::ssize(x) / rows;
    const DType from = norm.empty() ? type() : DType::kF32;
    const DType to = output == ProductOutput::kWork ? type() : DType::kF32;
    Product product = product_of(weight, weight_type, put(x, rows, columns, from, columns + 8),
                                 {nullptr, rows, outputs, to, 0}, output);
    if (gate) product.gate = GateFunction::kSilu;
    if (!norm.empty()) product.norm = {put(norm, 1, columns, DType::kF32).f32(), eps};
    return product;
  }

  // got {rows, outputs} is old + x W^T. inputs: what may be off, of the terms' magnitudes; more: of
  // each row.
  void expect_product(const Numbers& got, const Numbers& x, const Numbers& w, std::int64_t rows,
                      std::int64_t outputs, std::int64_t columns, DType to, const Numbers& old = {},
                      double inputs = 0.0, const std::vector<double>& more = {}) {
    ASSERT_EQ(std::ssize(got), rows * outputs);
    const double rounding = to == DType::kF32 ? 0x1p-23 : static_cast<double>(epsilon());
    for (std::int64_t r = 0; r < rows; ++r) {
      const float* xs = x.data() + r * columns;
      for (std::int64_t o = 0; o < outputs; ++o) {
        const float* ws = w.data() + o * columns;
        double sum = 0.0;
        double magnitude = 0.0;
        for (std::int64_t c = 0; c < columns; ++c) {
          const double product = static_cast<double>(xs[c]) * static_cast<double>(ws[c]);
          sum += product;
          magnitude += std::abs(product);
        }
        const auto at = static_cast<std::size_t>(r * outputs + o);
        if (!old.empty()) sum += static_cast<double>(old[at]);
        const double allowed = (4e-6 + inputs) * magnitude + rounding * std::abs(sum) +
                               1e-6 * std::abs(sum) +
                               (more.empty() ? 0.0 : more[static_cast<std::size_t>(r)]);
        ASSERT_NEAR(got[at], sum, allowed) << "row " << r << " output " << o;
      }
    }
  }

  Launch launch_;
  std::mt19937 random_{20261128};

 private:
  void* arena_ = nullptr;
  std::size_t used_ = 0;
};

}  // namespace hangar::cuda
