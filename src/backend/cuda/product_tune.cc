// Choosing cuBLASLt's algorithms by measuring them.
#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

#include "backend/cuda/blas.h"
#include "backend/cuda/weights_fill.h"

namespace hangar::cuda {
namespace {

constexpr int kMostCandidates = 8;
constexpr double kMeasuredUs = 600.0;  // of each candidate, about
constexpr double kLongUs = 1000.0;
constexpr double kHopeless = 1.5;  // times the best so far
constexpr double kRefused = 1e9;   // how slow is one that does not run

class Event {
 public:
  Event() { HANGAR_CUDA(cudaEventCreate(&event_)); }
  ~Event() { (void)cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(cudaStream_t stream) { HANGAR_CUDA(cudaEventRecord(event_, stream)); }
  double us_since(const Event& begin) const {
    float ms = 0.0F;
    HANGAR_CUDA(cudaEventSynchronize(event_));
    HANGAR_CUDA(cudaEventElapsedTime(&ms, begin.event_, event_));
    return 1e3 * static_cast<double>(ms);
  }

 private:
  cudaEvent_t event_ = nullptr;
};

// A graph of what `body` puts on the stream: its runs follow one another without the host.
class Replay {
 public:
  template <typename Body>
  Replay(cudaStream_t stream, Body&& body) : stream_(stream) {
    HANGAR_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
    body();
    cudaGraph_t graph = nullptr;
    HANGAR_CUDA(cudaStreamEndCapture(stream, &graph));
    const cudaError_t made = cudaGraphInstantiate(&graph_, graph, 0);
    (void)cudaGraphDestroy(graph);
    HANGAR_CUDA(made);
  }
  ~Replay() { (void)cudaGraphExecDestroy(graph_); }
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  void run() { HANGAR_CUDA(cudaGraphLaunch(graph_, stream_)); }

 private:
  cudaStream_t stream_;
  cudaGraphExec_t graph_ = nullptr;
};

constexpr std::size_t round_up(std::size_t value, std::size_t to) {
  return (value + to - 1) / to * to;
}

std::size_t x_bytes(const BlasProduct& product) {
  return round_up(
      row_bytes(product.type, product.x_stride) * static_cast<std::size_t>(product.rows), 256);
}
std::size_t y_bytes(const BlasProduct& product) {
  return round_up(
      row_bytes(product.y_type, product.y_stride) * static_cast<std::size_t>(product.rows), 256);
}

// Puts x of `rows` rows at the scratch's begin and y at its end; false: they do not fit. So no y is
// written where an x of more rows will be.
bool place(BlasProduct& product, std::int64_t rows, DeviceScratch scratch) {
  product.rows = rows;
  const std::size_t end = scratch.bytes / 256 * 256;
  if (x_bytes(product) + y_bytes(product) > end) return false;
  product.x = scratch.data;
  product.y = static_cast<std::byte*>(scratch.data) + (end - y_bytes(product));
  return true;
}

BlasProduct product_of(const BlasKey& key, const void* weight) {
  BlasProduct product;
  product.type = key.type;
  product.weight = weight;
  product.outputs = key.outputs;
  product.columns = key.columns;
  product.x_stride = key.columns;
  product.y_stride = static_cast<std::int64_t>(round_up(static_cast<std::size_t>(key.outputs), 8));
  product.y_type = key.y_type;
  product.add = key.add;
  return product;
}

}  // namespace

double Blas::measure(const Launch& launch, BlasProduct product, const Weights& weights,
                     const cublasLtMatmulAlgo_t& algorithm, double give_up_us) {
  std::size_t turn = 0;
  const auto once = [&] {
    product.weight = weights[turn++ % weights.size()];
    return run(launch, product, algorithm);
  };
  // Unseen, once: the library loads the kernel.
  if (once() != CUBLAS_STATUS_SUCCESS) return 0.0;
  Event begin;
  Event end;
  begin.record(launch.stream);
  if (once() != CUBLAS_STATUS_SUCCESS) return 0.0;
  end.record(launch.stream);
  const double rough_us = end.us_since(begin);
  if (give_up_us > 0.0 && rough_us > 2 * kHopeless * give_up_us + 10.0) return rough_us;
  if (rough_us > kLongUs) return rough_us;  // long enough to be the figure
  const int runs = static_cast<int>(std::clamp(kMeasuredUs / rough_us, 3.0, 32.0));
  bool ran = true;
  Replay replay(launch.stream, [&] {
    for (int i = 0; i < runs; ++i) ran = once() == CUBLAS_STATUS_SUCCESS && ran;
  });
  if (!ran) return 0.0;
  replay.run();
  begin.record(launch.stream);
  replay.run();
  end.record(launch.stream);
  return end.us_since(begin) / runs;
}

bool Blas::tune_bucket(const Launch& launch, const BlasProduct& product, const Weights& weights) {
  BlasChoice best;
  for (const cublasLtMatmulAlgo_t& algorithm : candidates(product, true, kMostCandidates)) {
    const double us = measure(launch, product, weights, algorithm, best.us);
    if (us > 0.0 && (best.us == 0.0 || us < best.us)) best = {algorithm, us};
  }
  if (best.us == 0.0) return false;
  algorithms_.set(
      {product.outputs, product.columns, product.rows, product.type, product.y_type, product.add},
      best);
  return true;
}

// Rows alone and among many: equal bits.
bool Blas::rows_are_independent(const Launch& launch, BlasProduct product,
                                const cublasLtMatmulAlgo_t& algorithm, DeviceScratch scratch) {
  constexpr std::int64_t kMany = 300;
  if (!place(product, kMany, scratch)) return false;
  const auto result = [&](std::int64_t rows, std::int64_t compared) {
    BlasProduct part = product;
    part.rows = rows;
    HANGAR_CUDA(cudaMemsetAsync(part.y, 0, y_bytes(part), launch.stream));
    std::vector<std::byte> bytes(row_bytes(part.y_type, part.y_stride) *
                                 static_cast<std::size_t>(compared));
    if (run(launch, part, algorithm) != CUBLAS_STATUS_SUCCESS) return std::vector<std::byte>();
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

bool Blas::tune_fixed(const Launch& launch, BlasProduct product, const Weights& weights,
                      DeviceScratch scratch) {
  const auto found = fixed_candidates(product);
  // How much slower than the best of them each is, summed over these numbers of rows.
  std::vector<double> slower(found.size(), 0.0);
  std::vector<double> sum_us(found.size(), 0.0);
  for (const std::int64_t rows :
       {std::int64_t{8}, std::int64_t{64}, std::int64_t{256}, std::int64_t{2048}}) {
    if (!place(product, rows, scratch)) continue;
    std::vector<double> us;
    double best = 0.0;
    for (const cublasLtMatmulAlgo_t& algorithm : found) {
      us.push_back(measure(launch, product, weights, algorithm, 0.0));
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
    algorithms_.set(
        {product.outputs, product.columns, 0, product.type, product.y_type, product.add},
        {found[i], sum_us[i]});
    return true;
  }
  return false;
}

int Blas::tune(const Launch& launch, std::span<const std::int64_t> row_counts,
               DeviceScratch scratch) {
  std::set<std::int64_t> buckets;
  for (const std::int64_t rows : row_counts) buckets.insert(row_bucket(rows));
  int made = 0;
  for (const auto& [key, weights] : noted_) {
    BlasProduct product = product_of(key, weights.front());
    // Random numbers of ordinary size: zeros run faster than what comes later.
    const auto x_size = static_cast<std::int64_t>(scratch.bytes / row_bytes(key.type, 1));
    const std::int64_t most_rows =
        std::max<std::int64_t>(buckets.empty() ? 0 : *buckets.rbegin(), 2048);
    fill_random(scratch.data, key.type, std::min(x_size, most_rows * key.columns), 1, 1.0F,
                RandomNumbers::kNormal, launch.stream);
    const auto known = [&](std::int64_t bucket) {
      BlasKey at = key;
      at.bucket = bucket;
      const BlasChoice* choice = algorithms_.find(at);
      return choice != nullptr && choice->us > 0.0;
    };
    if (launch.deterministic) {
      if (!known(0) && tune_fixed(launch, product, weights, scratch)) ++made;
      continue;
    }
    for (const std::int64_t bucket : buckets) {
      if (known(bucket) || !place(product, bucket, scratch)) continue;
      if (product.add) {
        HANGAR_CUDA(cudaMemsetAsync(product.y, 0, y_bytes(product), launch.stream));
      }
      if (tune_bucket(launch, product, weights)) ++made;
    }
  }
  HANGAR_CUDA(cudaStreamSynchronize(launch.stream));
  return made;
}

}  // namespace hangar::cuda
