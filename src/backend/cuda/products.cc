#include "backend/cuda/products.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "backend/cuda/fp8_direct.h"
#include "backend/cuda/int4_matmul.h"
#include "backend/cuda/plain_matmul.h"
#include "backend/cuda/tile_plan.h"

namespace hangar::cuda {
namespace {

constexpr std::size_t kMostNotedWeights = 16;  // to measure on
// Up to so many rows tiles are likelier than cuBLASLt, as long as nothing was measured.
constexpr std::int64_t kLikelyTileRows = 32;
constexpr std::int64_t kLikelyGatedRows = 64;
// What a gate by itself takes: a kernel more, and its bytes.
constexpr double kGateUs = 2.0;
constexpr double kGateBytesPerUs = 3e6;
constexpr double kJoinedBytesPerUs = 5e6;

// The card, the driver and the library: whose choices these are.
std::string owner_of_choices() {
  int device = 0;
  int driver = 0;
  cudaDeviceProp card{};
  HANGAR_CUDA(cudaGetDevice(&device));
  HANGAR_CUDA(cudaGetDeviceProperties(&card, device));
  HANGAR_CUDA(cudaDriverGetVersion(&driver));
  return fmt::format("{}, {} multiprocessors, driver {}, cublasLt {}", card.name,
                     card.multiProcessorCount, driver, cublasLtGetVersion());
}

bool tiles_are_likely(const Launch& launch, const Product& product) {
  const bool tiles_alone = product.gate || product.group_scales != nullptr;
  return !launch.deterministic && (product.rows <= kLikelyTileRows || tiles_alone) &&
         can_tile(launch, product);
}

}  // namespace

double tile_handicap(const Product& product, const TileWay& way) {
  return product.rows > kMostTileRows && way.rows == kManyRows ? 1.04 : 1.0;
}

Products::Products(void* workspace, std::size_t workspace_bytes, Fp8Sums sums)
    : blas_(workspace, workspace_bytes, sums), owner_(owner_of_choices()) {}

ProductKey Products::choice_key(const Product& product, std::int64_t bucket) const {
  ProductKey key = key_of(product, bucket);
  const Product fp8 = has_rounded_copy(product) ? by_copy(product) : product;
  key.fast_sums = !fp8.int4 && blas_.sums_fast(fp8, bucket);
  return key;
}

bool Products::takes_gated(const Launch& launch, const Product& product) {
  if (!product.gate) return false;
  if (is_fp8_direct(launch, product)) return can_multiply_fp8_direct(launch, product);
  return can_multiply_int4(launch, product) || (!launch.deterministic && can_tile(launch, product));
}

bool Products::prefers_gated(const Launch& launch, const Product& product, bool gate_joins) const {
  if (!takes_gated(launch, product)) return false;
  const bool alone_too =
      !product.int4 || (has_rounded_copy(product) && product.rows > kUncopiedRows);
  if (!alone_too || launch.deterministic || is_fp8_direct(launch, product)) return true;
  Product plain = product;
  plain.outputs = product.weight_rows();
  plain.gate.reset();
  const std::int64_t bucket = row_bucket(product.rows);
  const ProductChoice* gated = choices_.find(choice_key(product, bucket));
  const ProductChoice* alone = choices_.find(choice_key(plain, bucket));
  if (gated == nullptr || alone == nullptr || gated->us == 0.0 || alone->us == 0.0) {
    return product.int4 || product.rows <= kLikelyGatedRows;
  }
  const double numbers = static_cast<double>(row_bytes(product.type, product.outputs)) *
                         static_cast<double>(product.rows);
  // The gate reads two numbers and writes one; where it joins, that pass reads one more.
  const double gate_us =
      gate_joins ? numbers / kJoinedBytesPerUs : kGateUs + 3.0 * numbers / kGateBytesPerUs;
  return gated->us * tile_handicap(product, gated->tiles) <= alone->us + gate_us;
}

bool Products::goes_by_copy(const Launch& launch, const Product& product) const {
  if (!has_copy(product) || launch.deterministic) return false;
  const ProductChoice* choice = choices_.find(choice_key(product, row_bucket(product.rows)));
  return choice != nullptr && choice->int4.strips == 0;
}

void Products::note(const Product& product) {
  const ProductKey key = key_of(product, 0);
  const auto [entry, is_new] = noted_.try_emplace(key);
  if (is_new) in_order_.push_back(key);
  Weights& weights = entry->second;
  if (weights.size() >= kMostNotedWeights) return;
  if (std::ranges::find(weights, product.weight, &Noted::weight) != weights.end()) return;
  weights.push_back({product.weight, product.weight_scales, product.copy});
}

// product: of a bucket's rows, or, deterministic, of its own.
std::optional<ProductChoice> Products::likeliest(const Launch& launch, const Product& product) {
  ProductChoice choice;
  const auto first_of = [](const auto& ways, auto& way) {
    if (!ways.empty()) way = ways.front();
    return !ways.empty();
  };
  bool any = false;
  if (product.int4) {
    any = first_of(int4_ways(launch, product), choice.int4);
  } else if (is_fp8_direct(launch, product)) {
    any = first_of(fp8_direct_ways(launch, product), choice.fp8_direct);
  } else if (tiles_are_likely(launch, product)) {
    any = first_of(tile_ways(launch, product), choice.tiles);
  } else if (Blas::suits(product)) {
    any = first_of(
        launch.deterministic ? blas_.fixed_candidates(product) : blas_.candidates(product, true, 1),
        choice.algorithm);
  }
  if (!any) return std::nullopt;
  return choice;
}

const ProductChoice* Products::choose(const Launch& launch, const Product& product) {
  const std::int64_t bucket = launch.deterministic ? 0 : row_bucket(product.rows);
  const ProductKey key = choice_key(product, bucket);
  if (const ProductChoice* known = choices_.find(key)) return known;
  Product usual = product;
  usual.rows = launch.deterministic ? product.rows : bucket;
  std::optional<ProductChoice> choice;
  if (has_copy(product) && !launch.deterministic && bucket > kUncopiedRows) {
    choice = likeliest(launch, by_copy(usual));
  }
  if (!choice) choice = likeliest(launch, usual);
  if (!choice) return nullptr;
  choices_.set(key, *choice);
  return choices_.find(key);
}

bool Products::run(const Launch& launch, const Product& product, const ProductChoice& choice) {
  if (product.int4 && choice.int4.strips > 0) {
    if (!can_multiply_int4(launch, product)) return false;
    int4_matmul(launch, product, choice.int4);
    return true;
  }
  if (product.int4) return run(launch, by_copy(product), choice);
  if (is_fp8_direct(launch, product)) {
    fp8_direct_matmul(launch, product, choice.fp8_direct);
    return true;
  }
  if (choice.tiles.rows == 0) {
    return Blas::suits(product) && blas_.run(launch, product, choice.algorithm);
  }
  if (!can_tile(launch, product)) return false;
  TileWay way = choice.tiles;
  // What was measured had a y that two blocks can write.
  if (way.rows == kWideRows && !suits_wide(product)) way = tile_ways(launch, product).front();
  tile_matmul(launch, product, way);
  return true;
}

bool Products::run_as_proposed(const Launch& launch, const Product& product) {
  if (!Blas::suits(product)) return false;
  const auto found = blas_.candidates(product, true, 1);
  return !found.empty() && blas_.run(launch, product, found.front());
}

void Products::multiply(const Launch& launch, const Product& product) {
  if (product.rows == 0) return;
  if (can_multiply_int4(launch, product)) {
    note(product);
    const ProductChoice* const choice = choose(launch, product);
    if (choice != nullptr && run(launch, product, *choice)) return;
    const bool by_strips = choice != nullptr && choice->int4.strips > 0;
    if (!by_strips && run_as_proposed(launch, by_copy(product))) return;
    throw std::invalid_argument("no way takes this product of 4-bit weights");
  }
  if (product.int4) throw std::invalid_argument("no way takes this product of 4-bit weights");
  if (is_fp8_direct(launch, product)) {
    const ProductChoice* choice = choose(launch, product);
    if (choice == nullptr) throw std::invalid_argument("no way takes this gated product");
    note(product);
    run(launch, product, *choice);
    return;
  }
  if (Blas::suits(product) || can_tile(launch, product)) {
    note(product);
    const ProductChoice* choice = choose(launch, product);
    if (choice != nullptr && run(launch, product, *choice)) return;
    // The bucket's algorithm does not do just this: what the library proposes for it.
    if (choice != nullptr && !launch.deterministic && run_as_proposed(launch, product)) return;
  }
  if (product.gate) throw std::invalid_argument("no way takes this gated product");
  if (!launch.deterministic && can_multiply_directly(product)) {
    return direct_matmul(launch, product);
  }
  scalar_matmul(launch, product);
}

}  // namespace hangar::cuda
