#include "bench_support.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <regex>
#include <stdexcept>

#include "backend/cuda/device_arch.h"
#include "base/json.h"
#include "stream_times.h"

namespace hangar::cuda::bench {
namespace {

constexpr std::size_t kMostCopies = 64;
constexpr double kLeastReplayUs = 2000.0;  // against the microseconds that a graph's launch takes
constexpr double kMostCallsInGraph = 2000.0;
constexpr double kMostMeasuredUs = 1e6;  // of one line, where its calls are slow

// A graph of calls 0 .. calls - 1, whose turns go round.
class Replay {
 public:
  Replay(const Launch& launch, std::size_t calls, std::size_t turns, const Bench::Call& call) {
    HANGAR_CUDA(cudaStreamBeginCapture(launch.stream, cudaStreamCaptureModeThreadLocal));
    cudaGraph_t graph = nullptr;
    try {
      for (std::size_t i = 0; i < calls; ++i) call(launch, i % turns);
    } catch (...) {
      (void)cudaStreamEndCapture(launch.stream, &graph);
      if (graph != nullptr) (void)cudaGraphDestroy(graph);
      throw;
    }
    HANGAR_CUDA(cudaStreamEndCapture(launch.stream, &graph));
    const cudaError_t made = cudaGraphInstantiate(&graph_, graph, 0);
    (void)cudaGraphDestroy(graph);
    HANGAR_CUDA(made);
  }
  ~Replay() {
    if (graph_ != nullptr) (void)cudaGraphExecDestroy(graph_);
  }
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  void run(cudaStream_t stream) { HANGAR_CUDA(cudaGraphLaunch(graph_, stream)); }

 private:
  cudaGraphExec_t graph_ = nullptr;
};

double quantile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = at - static_cast<double>(below);
  return sorted[below] * (1.0 - part) + sorted[above] * part;
}

cudaStream_t new_stream() {
  cudaStream_t stream = nullptr;
  HANGAR_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return stream;
}

std::string number_or_dash(double value, int digits) {
  return value > 0.0 ? fmt::format("{:.{}f}", value, digits) : "-";
}

}  // namespace

CardMemory::~CardMemory() {
  for (void* piece : taken_) (void)cudaFree(piece);
}

void* CardMemory::take(std::size_t bytes) {
  void* piece = nullptr;
  HANGAR_CUDA(cudaMalloc(&piece, std::max<std::size_t>(bytes, 1)));
  taken_.push_back(piece);
  HANGAR_CUDA(cudaMemset(piece, 0, bytes));
  HANGAR_CUDA(cudaDeviceSynchronize());
  return piece;
}

void* CardMemory::upload_bytes(std::span<const std::byte> bytes) {
  void* piece = take(bytes.size());
  HANGAR_CUDA(cudaMemcpy(piece, bytes.data(), bytes.size(), cudaMemcpyHostToDevice));
  return piece;
}

Activation CardMemory::activation(std::int64_t rows, std::int64_t columns, DType type,
                                  float deviation, std::int64_t stride) {
  Activation made{nullptr, rows, columns, type, stride};
  const auto elements = static_cast<std::size_t>(rows * made.row_stride());
  made.data = take(row_bytes(type, rows * made.row_stride()));
  fill_normal(made.data, elements, type, deviation, seed_++, nullptr);
  HANGAR_CUDA(cudaDeviceSynchronize());
  return made;
}

std::vector<Activation> CardMemory::activations(std::size_t copies, std::int64_t rows,
                                                std::int64_t columns, DType type, float deviation) {
  std::vector<Activation> made;
  for (std::size_t i = 0; i < copies; ++i) {
    made.push_back(activation(rows, columns, type, deviation));
  }
  return made;
}

Bench::Bench(Options options) : options_(std::move(options)), card_(this_card()) {
  launch_.stream = new_stream();
  launch_.processors = card_.processors;
  launch_.hopper = card_.major == 9 && runs_hopper_code();
  launch_.overlap = options_.overlap;
  launch_.deterministic = options_.deterministic;
  bounds_ = card_bounds(card_, options_.type, launch_.stream);
}

Bench::~Bench() {
  (void)cudaStreamDestroy(launch_.stream);
}

bool Bench::wants(std::string_view group, std::string_view name) const {
  if (options_.filter.empty()) return true;
  return std::regex_search(fmt::format("{}/{}", group, name), std::regex(options_.filter));
}

std::size_t Bench::cold_copies(std::size_t bytes_each) const {
  const std::size_t wanted = 3 * card_.l2_bytes / std::max<std::size_t>(bytes_each, 1) + 1;
  return std::clamp<std::size_t>(wanted, 2, kMostCopies);
}

Time Bench::time(std::size_t turns, const Call& call) const {
  // Outside of a capture first: what sets itself up at its first call does so here.
  call(launch_, 0);
  HANGAR_CUDA(cudaStreamSynchronize(launch_.stream));
  const auto replayed = [&](std::size_t calls, int repeats) {
    Replay replay(launch_, calls, turns, call);
    std::vector<double> times =
        times_us(launch_.stream, repeats, [&] { replay.run(launch_.stream); });
    for (double& us : times) us /= static_cast<double>(calls);
    std::sort(times.begin(), times.end());
    return times;
  };
  const double first_us = std::max(replayed(turns, 3).front(), 0.01);
  const auto rounds = static_cast<std::size_t>(std::ceil(
      std::min(kLeastReplayUs / first_us, kMostCallsInGraph) / static_cast<double>(turns)));
  const std::size_t calls = std::max<std::size_t>(rounds, 1) * turns;
  const double replays = kMostMeasuredUs / (first_us * static_cast<double>(calls));
  const std::vector<double> times =
      replayed(calls, static_cast<int>(std::clamp(replays, 5.0, options_.quick ? 7.0 : 21.0)));
  return {quantile(times, 0.5), quantile(times, 0.1), quantile(times, 0.9)};
}

std::optional<Time> Bench::measure(const Case& c, std::size_t turns, const Call& call) {
  if (!wants(c.group, c.name)) return std::nullopt;
  lines_.push_back({c, time(turns, call)});
  if (!head_is_out_) print_head();
  print(lines_.back());
  return lines_.back().time;
}

// What is written costs as in a copy, whose every byte read has one written; the rest as in
// reading.
double Bench::bound_us(const Work& work) const {
  const double copied = 2.0 * std::min(work.read_bytes, work.written_bytes);
  const double rest = work.read_bytes + work.written_bytes - copied;
  const double rest_rate =
      work.read_bytes >= work.written_bytes ? bounds_.read_bytes_per_s : bounds_.copy_bytes_per_s;
  const double memory_s = copied / bounds_.copy_bytes_per_s + rest / rest_rate;
  return 1e6 * std::max(memory_s, work.operations / bounds_.matrix_operations_per_s);
}

std::string_view Bench::bound_by(const Work& work) const {
  const double arithmetic_us = 1e6 * work.operations / bounds_.matrix_operations_per_s;
  return arithmetic_us >= bound_us(work) && work.operations > 0.0 ? "arithmetic" : "memory";
}

void Bench::failed(std::string_view group, std::string_view why) {
  failures_.push_back(fmt::format("{}: {}", group, why));
  fmt::print("FAILED {}\n", failures_.back());
  std::fflush(stdout);
}

void Bench::print_head() {
  head_is_out_ = true;
  const auto version = [](int cuda) { return fmt::format("{}.{}", cuda / 1000, cuda / 10 % 100); };
  fmt::print(
      "{}, {} processors, compute capability {}.{}, L2 {} MB; driver {} (CUDA {}), runtime "
      "{}\n",
      card_.name, card_.processors, card_.major, card_.minor, card_.l2_bytes >> 20U,
      card_.driver.empty() ? "?" : card_.driver, version(card_.driver_cuda),
      version(card_.runtime_cuda));
  fmt::print("measured now: reads {:.2f} TB/s, copies {:.2f} TB/s, {} products {:.0f} TFLOP/s\n\n",
             bounds_.read_bytes_per_s / 1e12, bounds_.copy_bytes_per_s / 1e12,
             dtype_info(options_.type).name, bounds_.matrix_operations_per_s / 1e12);
  fmt::print("{:30} {:34} {:>10} {:>17} {:>8} {:>8} {:>10} {:10} {:>6} {:>10} {}\n", "operation",
             "shape", "us", "10% to 90%", "GB/s", "TFLOP/s", "bound us", "by", "share", "peer us",
             "peer");
}

void Bench::print(const Line& line) const {
  const Work& work = line.what.work;
  const double s = line.time.us / 1e6;
  const double bound = bound_us(work);
  fmt::print("{:30} {:34} {:>10.2f} {:>17} {:>8} {:>8} {:>10.2f} {:10} {:>5.1f}% {:>10} {}\n",
             fmt::format("{}/{}", line.what.group, line.what.name), line.what.shape, line.time.us,
             fmt::format("{:.2f} to {:.2f}", line.time.low_us, line.time.high_us),
             number_or_dash((work.read_bytes + work.written_bytes) / s / 1e9, 0),
             number_or_dash(work.operations / s / 1e12, 1), bound, bound_by(work),
             100.0 * bound / line.time.us, number_or_dash(line.what.peer_us.value_or(0.0), 2),
             line.what.peer);
  std::fflush(stdout);
}

int Bench::finish() const {
  if (lines_.empty()) fmt::print("nothing was measured (--filter={})\n", options_.filter);
  const int code = lines_.empty() || !failures_.empty() ? 1 : 0;
  if (options_.json_path.empty()) return code;
  boost::json::array results;
  for (const Line& line : lines_) {
    const Work& work = line.what.work;
    boost::json::object one{{"group", line.what.group},      {"name", line.what.name},
                            {"shape", line.what.shape},      {"us", line.time.us},
                            {"low_us", line.time.low_us},    {"high_us", line.time.high_us},
                            {"read_bytes", work.read_bytes}, {"written_bytes", work.written_bytes},
                            {"operations", work.operations}, {"bound_us", bound_us(work)},
                            {"bound_by", bound_by(work)}};
    if (line.what.peer_us) {
      one["peer"] = line.what.peer;
      one["peer_us"] = *line.what.peer_us;
    }
    results.push_back(std::move(one));
  }
  boost::json::array failures;
  for (const std::string& failure : failures_) failures.emplace_back(failure);
  const boost::json::object all{{"card", boost::json::object{{"name", card_.name},
                                                             {"driver", card_.driver},
                                                             {"processors", card_.processors},
                                                             {"memory_bytes", card_.memory_bytes},
                                                             {"l2_bytes", card_.l2_bytes}}},
                                {"type", dtype_info(options_.type).name},
                                {"overlap", options_.overlap},
                                {"deterministic", options_.deterministic},
                                {"read_bytes_per_s", bounds_.read_bytes_per_s},
                                {"copy_bytes_per_s", bounds_.copy_bytes_per_s},
                                {"matrix_operations_per_s", bounds_.matrix_operations_per_s},
                                {"results", std::move(results)},
                                {"failures", std::move(failures)}};
  std::ofstream file(options_.json_path);
  file << write_json(all, 2) << '\n';
  file.flush();
  if (!file) throw std::runtime_error(fmt::format("{}: cannot be written", options_.json_path));
  return code;
}

}  // namespace hangar::cuda::bench
