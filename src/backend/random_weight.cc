#include "backend/random_weight.h"

#include <cmath>
#include <cstddef>
#include <memory>
#include <new>
#include <numbers>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "backend/host_memory.h"
#include "quant/quantize.h"

namespace hangar {
namespace {

// SplitMix64's finisher (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
// 2014), over a counter.
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31U);
}

float uniform_of(std::uint64_t bits) {
  const float unit = static_cast<float>(bits >> 40U) * 0x1p-24F;  // [0, 1)
  return RandomWeights::kUniformLimit * (2.0F * unit - 1.0F);
}

// Box and Muller, from the two halves of the bits; the first is never 0.
float normal_of(std::uint64_t bits) {
  const float first = static_cast<float>((bits >> 40U) + 1U) * 0x1p-24F;  // (0, 1]
  const float second = static_cast<float>(bits & 0xFFFFFFU) * 0x1p-24F;
  return RandomWeights::kNormalDeviation * std::sqrt(-2.0F * std::log(first)) *
         std::cos(2.0F * std::numbers::pi_v<float> * second);
}

// A row whose first element is the tensor's element `first`.
void fill_row(std::vector<float>& row, RandomRole role, const RandomWeights& how, std::uint64_t key,
              std::uint64_t first) {
  if (role != RandomRole::kMatrix) {
    row.assign(row.size(), role == RandomRole::kOnes ? 1.0F : 0.0F);
    return;
  }
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::uint64_t bits = mixed(key + first + i);
    row[i] = how.kind == RandomWeights::Kind::kNormal ? normal_of(bits) : uniform_of(bits);
  }
}

}  // namespace

RandomRole random_role(const TensorView& view) {
  const std::string_view name = view.name;
  if (name.ends_with(".bias")) return RandomRole::kZeros;
  if (view.rows() == 1 && name.ends_with("norm.weight")) return RandomRole::kOnes;
  return RandomRole::kMatrix;
}

std::uint64_t random_key(std::string_view name, std::uint64_t seed) {
  std::uint64_t key = mixed(seed);
  for (const char c : name) key = mixed(key ^ static_cast<unsigned char>(c));
  return key;
}

Result<TensorView> make_random_data(const TensorView& view, const RandomWeights& how) {
  if (!can_quantize(view.dtype)) {
    return make_error(ErrorCode::kUnsupported, "tensor {}: random weights of type {} are not made",
                      view.name, dtype_name(view.dtype));
  }
  const std::int64_t rows = view.rows();
  const std::int64_t columns = view.columns();
  if (rows < 1 || columns % dtype_info(view.dtype).block_elements != 0) {
    return make_error(ErrorCode::kCorrupt, "tensor {}: {} rows of {} elements of type {}",
                      view.name, rows, columns, dtype_name(view.dtype));
  }
  const std::size_t bytes_a_row = row_bytes(view.dtype, columns);
  const auto bytes = checked_product({rows, static_cast<std::int64_t>(bytes_a_row)});
  std::shared_ptr<std::vector<std::byte>> data;
  try {
    if (bytes) data = std::make_shared<std::vector<std::byte>>(*bytes);
  } catch (const std::bad_alloc&) {
    data = nullptr;
  }
  if (data == nullptr) {
    return make_error(ErrorCode::kResourceExhausted,
                      "tensor {}: no memory for {} rows of {} bytes of random weights", view.name,
                      rows, bytes_a_row);
  }
  const RandomRole role = random_role(view);
  const std::uint64_t key = random_key(view.name, how.seed);
  std::vector<float> row(static_cast<std::size_t>(columns));
  for (std::int64_t r = 0; r < rows; ++r) {
    fill_row(row, role, how, key,
             static_cast<std::uint64_t>(view.first_row + r) * static_cast<std::uint64_t>(columns));
    quantize_row(view.dtype, row.data(), data->data() + static_cast<std::size_t>(r) * bytes_a_row,
                 columns);
  }
  TensorView made = view;
  made.data = *data;
  made.owner = std::move(data);
  return made;
}

Result<WeightPtr> Backend::random_weight(const TensorView& view, const RandomWeights& how,
                                         InputPrecision precision) {
  HANGAR_TRY(const TensorView made, make_random_data(view, how));
  return load_weight(made, precision);
}

}  // namespace hangar
