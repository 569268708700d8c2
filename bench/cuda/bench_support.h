// What the CUDA benchmarks share: the card's memory, its times, its own ceilings, table and JSON.
//
// Promise: a *_bench.cc here defines one of the *_benchmarks() below; main calls them in order. It
//   asks wants() before it sets up anything large, makes what it works on in a CardMemory of its
//   own, and calls measure() once for each line of the table. measure() captures many calls in one
//   CUDA graph, replays it, and takes the median over replays of time / calls: no host in the
//   figure. A call gets the turn it is, 0 .. turns - 1: it works on copy number `turn` of what it
//   streams, so that all copies together do not fit the L2 cache and each is cold when its turn
//   comes (cold_copies() says how many). The bound comes from the rates measured on this very card.
// Units: bytes, floating-point operations (a multiply-add is two), microseconds where named _us.
// Errors: CudaError, std::runtime_error: main prints them; the other benchmarks go on.
// Threads: main's.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/cuda/launch.h"
#include "card_bounds.h"
#include "tensor/activation.h"
#include "tensor/dtype.h"

namespace hangar::cuda::bench {

struct Options {
  bool quick = false;         // fewer shapes, fewer replays
  std::string filter;         // regular expression over "group/name"; "": all
  std::string json_path;      // "": no file
  DType type = DType::kBF16;  // the work type: kBF16 or kF16
  bool overlap = true;        // programmatic dependent launch, as in a step's graph
  bool deterministic = false;
};

// Memory of the card, all of it given back at the end. Rows start at multiples of 256 bytes only
// where the caller's stride says so; each piece does.
class CardMemory {
 public:
  CardMemory() = default;
  ~CardMemory();
  CardMemory(const CardMemory&) = delete;
  CardMemory& operator=(const CardMemory&) = delete;

  void* take(std::size_t bytes);  // zeros
  // Normally distributed numbers (mean 0) of kF32, kBF16 or kF16; `stride` in elements, 0: columns.
  Activation activation(std::int64_t rows, std::int64_t columns, DType type, float deviation = 1.0F,
                        std::int64_t stride = 0);
  // `copies` matrices of the same shape, each of other numbers.
  std::vector<Activation> activations(std::size_t copies, std::int64_t rows, std::int64_t columns,
                                      DType type, float deviation = 1.0F);
  template <typename T>
  T* upload(std::span<const T> values) {
    return static_cast<T*>(upload_bytes(std::as_bytes(values)));
  }

 private:
  void* upload_bytes(std::span<const std::byte> bytes);
  std::vector<void*> taken_;
  std::uint64_t seed_ = 1;
};

// The fewest bytes a call must move (each input once, each output once) and its operations.
struct Work {
  double read_bytes = 0.0;
  double written_bytes = 0.0;
  double operations = 0.0;  // on the matrix units, in the work type
};

struct Case {
  std::string group;  // "matmul"
  std::string name;   // "qkv": with the group what --filter is matched against
  std::string shape;  // "Llama-3-8B, 16 rows"
  Work work;
  std::optional<double> peer_us = {};  // another way of doing the same, measured here
  std::string peer = {};               // which: "cuBLASLt"
};

struct Time {
  double us = 0.0;      // median over replays, of one call
  double low_us = 0.0;  // 10th and 90th percentile
  double high_us = 0.0;
};

class Bench {
 public:
  using Call = std::function<void(const Launch& launch, std::size_t turn)>;

  explicit Bench(Options options);
  ~Bench();
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  const Options& options() const { return options_; }
  const Launch& launch() const { return launch_; }
  const Card& card() const { return card_; }
  const CardBounds& bounds() const { return bounds_; }

  bool wants(std::string_view group, std::string_view name) const;
  // How many copies of something so large make each of them cold in its turn; 2 to 64.
  std::size_t cold_copies(std::size_t bytes_each) const;
  // The time alone, for peers and for choosing.
  Time time(std::size_t turns, const Call& call) const;
  // Times it, prints its line and keeps it for the file. {} where the filter leaves it out.
  std::optional<Time> measure(const Case& c, std::size_t turns, const Call& call);
  // The least time that `work` can take on this card, and whether "memory" or "arithmetic" says so.
  double bound_us(const Work& work) const;
  std::string_view bound_by(const Work& work) const;
  // A group's function failed: said in the table, counted for the exit code.
  void failed(std::string_view group, std::string_view why);

  // The file, if one was asked for. The exit code: 1 where something failed or nothing ran.
  int finish() const;

 private:
  struct Line {
    Case what;
    Time time;
  };
  void print_head();
  void print(const Line& line) const;

  Options options_;
  Card card_;
  CardBounds bounds_;
  Launch launch_;
  std::vector<Line> lines_;
  std::vector<std::string> failures_;
  bool head_is_out_ = false;
};

// One file each: matmul_bench.cc, quant_bench.cc, attention_bench.cc, elementwise_bench.cc (norms,
// RoPE, gates, embedding), sampling_bench.cc, weights_bench.cc.
void matmul_benchmarks(Bench& bench);
void int4_benchmarks(Bench& bench);
void fp8_benchmarks(Bench& bench);
void attention_benchmarks(Bench& bench);
void elementwise_benchmarks(Bench& bench);
void sampling_benchmarks(Bench& bench);
void weights_benchmarks(Bench& bench);

}  // namespace hangar::cuda::bench
