// Choosing ways of products by measuring them.
#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "backend/cuda/event.h"
#include "backend/cuda/fp8_direct.h"
#include "backend/cuda/product_trial.h"
#include "backend/cuda/products.h"

namespace hangar::cuda {
namespace {

constexpr int kMostCandidates = 8;
constexpr int kMostOfManyRows = 16;  // where a step waits longest, and the library errs most
constexpr std::int64_t kManyRows = 1024;
constexpr double kMeasuredUs = 400.0;  // of each candidate, about
constexpr double kLongUs = 1000.0;
constexpr double kHopeless = 1.5;  // times the best so far
// What a tile product saves in a step, where it begins while the kernel before it ends: cuBLASLt's
// do not. Of more rows, what it could do by then is little, and it is measured by itself.
constexpr double kOverlapUs = 1.5;
constexpr std::int64_t kOverlappedRows = 64;
// Of so few rows there are many ways, and one measurement errs by more than the best are apart: the
// least of three decides among them.
constexpr std::int64_t kFinalRows = 2;
constexpr double kClose = 1.04;  // times the best
constexpr std::size_t kMostFinalists = 4;
constexpr int kFinalRounds = 2;
// By itself a way may be that much slower than the best, and yet be the best in a step: settle()
// sees.
constexpr double kCloseInAStep = 1.12;
constexpr std::size_t kMostInAStep = 6;
constexpr double kRefused = 1e9;  // how slow is one that does not run

}  // namespace

double Products::measure(const Launch& launch, Product product, const Weights& weights,
                         const ProductChoice& choice, double give_up_us) {
  std::size_t turn = 0;
  const auto once = [&] {
    weights[turn++ % weights.size()].give(product);
    return run(launch, product, choice);
  };
  // Unseen, once: the library loads the kernel.
  if (!once()) return 0.0;
  Event begin;
  Event end;
  const auto time_once = [&] {
    begin.record(launch.stream);
    if (!once()) return 0.0;
    end.record(launch.stream);
    return end.us_since(begin);
  };
  const double rough_us = time_once();
  if (rough_us == 0.0) return 0.0;
  if (give_up_us > 0.0 && rough_us > 2 * kHopeless * give_up_us + 10.0) return rough_us;
  if (rough_us > kLongUs) {  // long enough to be the figure, the better one of two
    if (give_up_us > 0.0 && rough_us > kCloseInAStep * give_up_us) return rough_us;
    return std::min(rough_us, time_once());
  }
  const int runs = static_cast<int>(std::clamp(kMeasuredUs / rough_us, 3.0, 32.0));
  bool ran = true;
  Replay replay(launch.stream, [&] {
    for (int i = 0; i < runs; ++i) ran = once() && ran;
  });
  if (!ran) return 0.0;
  replay.run();
  begin.record(launch.stream);
  replay.run();
  end.record(launch.stream);
  return end.us_since(begin) / runs;
}

bool Products::tune_bucket(const Launch& launch, const Product& product, const Weights& weights,
                           std::vector<ProductChoice>& close) {
  std::vector<ProductChoice> found;
  const bool direct = is_fp8_direct(launch, product);
  const auto add_algorithms = [&](const Product& of) {
    if (!Blas::suits(of)) return;
    const int most = of.rows >= kManyRows ? kMostOfManyRows : kMostCandidates;
    for (const auto& algorithm : blas_.candidates(of, true, most)) {
      found.push_back({.algorithm = algorithm});
    }
  };
  const auto add_tiles = [&](const Product& of) {
    const bool fast_sums = blas_.sums_fast(of, of.rows);
    for (const TileWay& way : tile_ways(launch, of, fast_sums)) found.push_back({.tiles = way});
  };
  if (!direct) {
    add_algorithms(product);
    add_tiles(product);
  }
  for (const Fp8DirectWay& way : fp8_direct_ways(launch, product)) {
    found.push_back({.fp8_direct = way});
  }
  if (!has_copy(product) || product.rows <= kCopiedRows) {
    for (const Int4Way& way : int4_ways(launch, product)) found.push_back({.int4 = way});
  }
  if (has_copy(product) && product.rows > kUncopiedRows) {
    const Product copy = by_copy(product);
    add_algorithms(copy);
    add_tiles(copy);
  }
  ProductChoice best;
  Launch measured = launch;
  measured.overlap = launch.overlap && product.rows <= kOverlappedRows;
  const auto in_a_step = [&](const ProductChoice& choice) {
    if (choice.tiles.rows == 0) return choice.us;
    const bool fp8_too = !product.int4 || has_rounded_copy(product);
    const double handicap = fp8_too ? tile_handicap(product, choice.tiles) : 1.0;
    return choice.us * handicap - (measured.overlap ? kOverlapUs : 0.0);
  };
  for (ProductChoice& choice : found) {
    choice.us = measure(measured, product, weights, choice, best.us);
    if (choice.us == 0.0) continue;
    if (best.us == 0.0 || in_a_step(choice) < in_a_step(best)) best = choice;
  }
  if (best.us == 0.0) return false;
  if (product.rows <= kFinalRows) {
    const auto keep = [&](double slower, std::size_t most) {
      std::erase_if(found, [&](const ProductChoice& choice) {
        return choice.us == 0.0 || in_a_step(choice) > slower * in_a_step(best);
      });
      if (found.size() > most) found.resize(most);
    };
    std::ranges::sort(found, std::less<>(), in_a_step);
    keep(kCloseInAStep, kMostInAStep);
    close = found;
    keep(kClose, kMostFinalists);
    for (int round = 0; found.size() > 1 && round < kFinalRounds; ++round) {
      for (ProductChoice& choice : found) {
        const double us = measure(measured, product, weights, choice, 0.0);
        if (us > 0.0) choice.us = std::min(choice.us, us);
      }
    }
    best = *std::ranges::min_element(found, std::less<>(), in_a_step);
  }
  choices_.set(choice_key(product, product.rows), best);
  return true;
}

// Rows alone and among many: equal bits.
bool Products::rows_are_independent(const Launch& launch, Product product,
                                    const ProductChoice& choice, DeviceScratch scratch) {
  constexpr std::int64_t kMany = 300;
  if (!place(launch, product, kMany, scratch)) return false;
  const auto result = [&](std::int64_t rows, std::int64_t compared) {
    Product part = product;
    part.rows = rows;
    HANGAR_CUDA(cudaMemsetAsync(part.y, 0, y_bytes(part), launch.stream));
    std::vector<std::byte> bytes(row_bytes(part.y_type(), part.y_stride) *
                                 static_cast<std::size_t>(compared));
    if (!run(launch, part, choice)) return std::vector<std::byte>();
    HANGAR_CUDA(
        cudaMemcpyAsync(bytes.data(), part.y, bytes.size(), cudaMemcpyDeviceToHost, launch.stream));
    HANGAR_CUDA(cudaStreamSynchronize(launch.stream));
    return bytes;
  };
  for (const std::int64_t few : {std::int64_t{1}, std::int64_t{17}}) {
    const std::vector<std::byte> among = result(kMany, few);
    const std::vector<std::byte> alone = result(few, few);
    if (among.empty() || among != alone) return false;
  }
  return true;
}

bool Products::tune_fixed(const Launch& launch, Product product, const Weights& weights,
                          DeviceScratch scratch) {
  std::vector<ProductChoice> found;
  product.rows = 1;  // any number suits, but not none
  if (Blas::suits(product)) {
    for (const auto& algorithm : blas_.fixed_candidates(product)) {
      found.push_back({.algorithm = algorithm});
    }
  }
  // How much slower than the best of them each is, summed over these numbers of rows.
  std::vector<double> slower(found.size(), 0.0);
  std::vector<double> sum_us(found.size(), 0.0);
  for (const std::int64_t rows :
       {std::int64_t{8}, std::int64_t{64}, std::int64_t{256}, std::int64_t{2048}}) {
    if (!place(launch, product, rows, scratch)) continue;
    std::vector<double> us;
    double best = 0.0;
    for (const ProductChoice& choice : found) {
      us.push_back(measure(launch, product, weights, choice, 0.0));
      if (us.back() > 0.0 && (best == 0.0 || us.back() < best)) best = us.back();
    }
    for (std::size_t i = 0; i < us.size(); ++i) {
      slower[i] += us[i] > 0.0 ? us[i] / best : kRefused;
      sum_us[i] += us[i];
    }
  }
  std::vector<std::size_t> order(found.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return slower[i]; });
  for (const std::size_t i : order) {
    if (slower[i] >= kRefused || !rows_are_independent(launch, product, found[i], scratch))
      continue;
    choices_.set(choice_key(product, 0), {.algorithm = found[i].algorithm, .us = sum_us[i]});
    return true;
  }
  return false;
}

int Products::tune(const Launch& launch, std::span<const std::int64_t> row_counts,
                   DeviceScratch scratch) {
  std::set<std::int64_t> buckets;
  for (const std::int64_t rows : row_counts) buckets.insert(row_bucket(rows));
  int made = 0;
  std::map<std::int64_t, std::vector<Rivals>> rivals;  // by bucket
  bool leaves_room = false;                            // the product before
  for (const ProductKey& key : in_order_) {
    const bool behind_attention = std::exchange(leaves_room, key.leaves_room);
    const Weights& weights = noted_.at(key);
    Product product = product_of(key);
    // One of them: cuBLASLt proposes nothing for FP8 without scales, and nothing runs without W.
    weights.front().give(product);
    const std::int64_t most_rows =
        std::max<std::int64_t>(buckets.empty() ? 0 : *buckets.rbegin(), 2048);
    bool filled = false;
    const auto fill = [&] {
      if (!filled) fill_inputs(launch, product, most_rows, scratch);
      filled = true;
    };
    const auto known = [&](std::int64_t bucket) {
      const ProductChoice* choice = choices_.find(choice_key(product, bucket));
      return choice != nullptr && choice->us > 0.0;
    };
    if (launch.deterministic && product.int4) continue;  // there is one way
    if (launch.deterministic) {
      fill();
      if (!known(0) && tune_fixed(launch, product, weights, scratch)) ++made;
      continue;
    }
    for (const std::int64_t bucket : buckets) {
      const bool is_known = known(bucket);
      if ((is_known && bucket > kFinalRows) || !place(launch, product, bucket, scratch)) continue;
      if (is_known) {  // a rival to nobody, but part of the layers in which others are measured
        const ProductChoice& choice = *choices_.find(choice_key(product, bucket));
        rivals[bucket].push_back({product, weights, behind_attention, {choice}});
        continue;
      }
      if (product.output == ProductOutput::kAdd) {
        HANGAR_CUDA(cudaMemsetAsync(product.y, 0, y_bytes(product), launch.stream));
      }
      if (product.int4) {
        fill_int4_inputs(launch, product, scratch);
      } else if (is_fp8_direct(launch, product)) {
        fill_direct_inputs(launch, product, scratch);  // before the others' lie in their place
      } else {
        fill();
      }
      Rivals of{product, weights, behind_attention, {}};
      if (!tune_bucket(launch, product, weights, of.choices)) continue;
      ++made;
      if (!of.choices.empty()) rivals[bucket].push_back(std::move(of));
    }
  }
  for (auto& [bucket, all] : rivals) settle(launch, std::move(all));
  HANGAR_CUDA(cudaStreamSynchronize(launch.stream));
  return made;
}

}  // namespace hangar::cuda
