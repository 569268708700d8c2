#include "machine_bounds.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

#include "backend/cpu/simd.h"
#include "base/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "machine_bounds.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "backend/cpu/int_dot-inl.h"
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

// turns * 64 steps of multiply-adds, 4 to a lane; gives their number.
std::int64_t MultiplyAdd(std::int64_t turns, const std::int32_t* operands, std::int32_t* result) {
  const DI di;
  const VI w = Dot4::prepare(hn::Set(di, operands[0] & 0x0F0F0F0F));
  VI total = hn::Zero(di);
  for (std::int64_t t = 0; t < turns; ++t) {
    VI sum[8];
    HANGAR_UNROLL
    for (int r = 0; r < 8; ++r) sum[r] = Dot4::start(total);
    HANGAR_UNROLL
    for (int j = 0; j < 8; ++j) {
      HANGAR_UNROLL
      for (int r = 0; r < 8; ++r) {
        sum[r] = Dot4::step(sum[r], w, hn::Set(di, operands[1 + j * 8 + r]));
      }
    }
    HANGAR_UNROLL
    for (int r = 0; r < 8; ++r) total = hn::Xor(total, Dot4::finish(sum[r], total));
  }
  *result = hn::GetLane(total);
  return turns * 64 * 4 * kLanes;
}

}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hangar::cpu {
HWY_EXPORT(ReadAll);
HWY_EXPORT(MultiplyAdd);
}  // namespace hangar::cpu

namespace hangar::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double measure_read(int threads) {
  constexpr std::int64_t kFloats = std::int64_t{16} << 20;
  ThreadPool pool(threads);
  std::vector<std::vector<float>> memory(static_cast<std::size_t>(pool.threads()));
  for (auto& m : memory) m.assign(static_cast<std::size_t>(kFloats), 1.0F);
  std::vector<float> sums(memory.size());
  double best = 0.0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    const auto start = Clock::now();
    pool.parallel_for(std::ssize(memory), 1, [&](std::int64_t begin, std::int64_t end, int) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
        const auto read_all = HWY_DYNAMIC_DISPATCH(cpu::ReadAll);
        sums[i] = read_all(memory[i].data(), kFloats);
      }
    });
    const double bytes = static_cast<double>(memory.size()) * static_cast<double>(kFloats) * 4.0;
    best = std::max(best, bytes / seconds_since(start));
  }
  return sums[0] > 0.0F ? best : 0.0;
}

double measure_int(int threads) {
  ThreadPool pool(threads);
  std::vector<std::int32_t> operands(65, 0x01020304);
  std::vector<std::int32_t> results(static_cast<std::size_t>(pool.threads()));
  std::vector<std::int64_t> macs(results.size());
  double best = 0.0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    const auto start = Clock::now();
    pool.parallel_for(std::ssize(results), 1, [&](std::int64_t begin, std::int64_t end, int) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
        const auto multiply_add = HWY_DYNAMIC_DISPATCH(cpu::MultiplyAdd);
        macs[i] = multiply_add(500000, operands.data(), &results[i]);
      }
    });
    double all = 0.0;
    for (const std::int64_t m : macs) all += static_cast<double>(m);
    best = std::max(best, all / seconds_since(start));
  }
  return best;
}

double once(std::map<int, double>& known, int threads, double (*measure)(int)) {
  const auto found = known.find(threads);
  if (found != known.end()) return found->second;
  return known[threads] = measure(threads);
}

}  // namespace

double read_bytes_per_s(int threads) {
  static std::map<int, double> known;
  return once(known, threads, measure_read);
}

double int_macs_per_s(int threads) {
  static std::map<int, double> known;
  return once(known, threads, measure_int);
}

}  // namespace hangar::bench
#endif
