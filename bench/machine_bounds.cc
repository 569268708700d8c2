#include "machine_bounds.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "backend/cpu/simd.h"
#include "base/thread_pool.h"
#include "peak_loops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "machine_bounds.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "backend/cpu/simd-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hangar::cpu::HWY_NAMESPACE {

// Sums `floats` numbers; a multiple of 64.
float ReadAll(const float* from, std::int64_t floats) {
  const DF df;
  VF sum[4] = {hn::Zero(df), hn::Zero(df), hn::Zero(df), hn::Zero(df)};
  for (std::int64_t i = 0; i < floats; i += 4 * kLanes) {
    HANGAR_UNROLL
    for (int j = 0; j < 4; ++j) sum[j] = hn::Add(sum[j], hn::LoadU(df, from + i + j * kLanes));
  }
  return sum_of_lanes(df, hn::Add(hn::Add(sum[0], sum[1]), hn::Add(sum[2], sum[3])));
}

// turns * 12 vectors of multiply-adds; gives their number.
std::int64_t FloatMultiplyAdd(std::int64_t turns, float* operand) {
  constexpr int kSums = 12;
  const DF df;
  const VF x = hn::Set(df, *operand);
  VF sum[kSums];
  HANGAR_UNROLL
  for (int i = 0; i < kSums; ++i) sum[i] = hn::Set(df, static_cast<float>(i));
  for (std::int64_t t = 0; t < turns; ++t) {
    HANGAR_UNROLL
    for (int i = 0; i < kSums; ++i) sum[i] = hn::MulAdd(sum[i], x, x);
  }
  VF total = sum[0];
  HANGAR_UNROLL
  for (int i = 1; i < kSums; ++i) total = hn::Add(total, sum[i]);
  *operand = sum_of_lanes(df, total);
  return turns * kSums * kLanes;
}

}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hangar::cpu {
HWY_EXPORT(ReadAll);
HWY_EXPORT(FloatMultiplyAdd);
}  // namespace hangar::cpu

namespace hangar::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTries = 9;
constexpr double kTrySeconds = 0.02;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The best of kTries of: all threads run work(thread) until kTrySeconds are over; the sum of what
// it counted, a second.
template <typename Work>
double best_rate(ThreadPool& pool, const Work& work) {
  std::vector<double> counts(static_cast<std::size_t>(pool.threads()));
  double best = 0.0;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    std::ranges::fill(counts, 0.0);
    const auto start = Clock::now();
    pool.parallel_for(std::ssize(counts), 1, [&](std::int64_t begin, std::int64_t end, int) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
        do {
          counts[i] += work(i);
        } while (seconds_since(start) < kTrySeconds);
      }
    });
    double all = 0.0;
    for (const double count : counts) all += count;
    best = std::max(best, all / seconds_since(start));
  }
  return best;
}

double measure_read(int threads, std::size_t bytes_a_thread) {
  ThreadPool pool(threads);
  const std::size_t floats = bytes_a_thread / sizeof(float);
  std::vector<std::vector<float>> memory(static_cast<std::size_t>(pool.threads()));
  for (auto& m : memory) m.assign(floats, 1.0F);
  std::vector<float> sums(memory.size());
  return best_rate(pool, [&](std::size_t thread) {
    const auto read_all = HWY_DYNAMIC_DISPATCH(cpu::ReadAll);
    sums[thread] += read_all(memory[thread].data(), static_cast<std::int64_t>(floats));
    return static_cast<double>(bytes_a_thread);
  });
}

double measure_loop(int threads, PeakLoop loop) {
  constexpr std::int64_t kTurns = 20000;
  ThreadPool pool(threads);
  return best_rate(pool, [&](std::size_t) { return static_cast<double>(loop(kTurns)); });
}

double measure_float(int threads) {
  ThreadPool pool(threads);
  return best_rate(pool, [](std::size_t) {
    constexpr std::int64_t kTurns = 20000;
    float operand = 0.5F;
    return static_cast<double>(HWY_DYNAMIC_DISPATCH(cpu::FloatMultiplyAdd)(kTurns, &operand));
  });
}

}  // namespace

double read_bytes_per_s(int threads, std::size_t working_set_bytes) {
  static std::map<std::pair<int, std::size_t>, double> known;
  const std::size_t a_thread = working_set_bytes / static_cast<std::size_t>(std::max(1, threads));
  const std::size_t rounded = std::bit_ceil(std::max<std::size_t>(a_thread, std::size_t{1} << 20));
  const auto [at, is_new] = known.try_emplace({threads, rounded}, 0.0);
  if (is_new) at->second = measure_read(threads, rounded);
  return at->second;
}

double float_macs_per_s(int threads) {
  static std::map<int, double> known;
  const auto [at, is_new] = known.try_emplace(threads, 0.0);
  if (is_new) at->second = measure_float(threads);
  return at->second;
}

double int8_macs_per_s(int threads) {
  static std::map<int, double> known;
  const auto [at, is_new] = known.try_emplace(threads, 0.0);
  const PeakLoop loop = int8_loop();
  if (is_new) at->second = loop != nullptr ? measure_loop(threads, loop) : measure_float(threads);
  return at->second;
}

double bf16_macs_per_s(int threads) {
  static std::map<int, double> known;
  const auto [at, is_new] = known.try_emplace(threads, 0.0);
  const PeakLoop loop = bf16_loop();
  if (is_new) {
    at->second = float_macs_per_s(threads);
    if (loop != nullptr) at->second = std::max(at->second, measure_loop(threads, loop));
  }
  return at->second;
}

}  // namespace hangar::bench
#endif
