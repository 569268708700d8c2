// From rows of logits to tokens: 64 rows, or one.
//
// Counters: GB/s are the logits, read once; the bound is these bytes by the read bandwidth for as
//   many. a_row is the time of one row. Logits are like a model's (a few far ahead of a wide bell),
//   or for "flat" a bell that is narrow, which is the worst that top_p can meet.
#include <string>

#include "bench_support.h"
#include "machine_bounds.h"
#include "model_shapes.h"

namespace hangar::bench {
namespace {

struct SampleCase {
  const char* name;
  SampleRow row;
  bool flat = false;
};

const SampleCase kCases[] = {
    {"greedy", {.temperature = 0.0F}},
    {"plain", {}},
    {"top_k_40", {.top_k = 40}},
    {"top_p_95", {.top_p = 0.95F}},
    {"top_p_95_flat", {.top_p = 0.95F}, true},
    {"top_k_40_top_p_95", {.top_p = 0.95F, .top_k = 40}},
    {"greedy_logprobs_5", {.logprobs = 5, .temperature = 0.0F}},
};

Activation logits_of(std::int64_t rows, std::int64_t vocabulary, bool flat) {
  static Activation made[2];
  Activation& logits = made[flat ? 1 : 0];
  if (logits.columns == vocabulary && logits.rows >= rows) return logits.first_rows(rows);
  logits = activation(flat ? 11 : 10, 64, vocabulary);
  if (!flat) {
    backend().scale(logits, 2.5F);
    for (std::int64_t r = 0; r < logits.rows; ++r) {
      for (std::size_t i = 0; i < 30; ++i) {
        logits.row(r)[i * 1531 % static_cast<std::size_t>(vocabulary)] =
            24.0F - 0.4F * static_cast<float>(i);
      }
    }
  }
  return logits.first_rows(rows);
}

void sample(benchmark::State& state, const SampleCase* c, std::int64_t vocabulary) {
  const std::int64_t count = state.range(0);
  const Activation logits = logits_of(count, vocabulary, c->flat);
  std::vector<SampleRow> rows(static_cast<std::size_t>(count), c->row);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    rows[r].row = static_cast<std::int32_t>(r);
    rows[r].uniform = (static_cast<double>(r) + 0.5) / static_cast<double>(count);
  }
  std::vector<Sampled> out(rows.size());
  for (auto _ : state) backend().sample(logits, rows, out);
  Work work;
  work.bytes = static_cast<double>(vocabulary * count) * sizeof(float);
  work.bound_s = work.bytes / read_bytes_per_s(threads(), static_cast<std::size_t>(work.bytes));
  set_counters(state, work);
  using benchmark::Counter;
  state.counters["a_row"] =
      Counter(static_cast<double>(count), Counter::kIsIterationInvariantRate | Counter::kInvert);
}

}  // namespace

void register_sampling(const BenchOptions& options) {
  for (const ModelShape& model : kModelShapes) {
    if (options.quick && &model != &kModelShapes.front()) break;
    for (const SampleCase& c : kCases) {
      const std::string name = std::string("sample/") + model.name + "/" + c.name;
      auto* b = benchmark::RegisterBenchmark(name.c_str(), sample, &c, model.vocabulary);
      b->Arg(1)->Arg(64)->ArgName("rows")->UseRealTime()->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace hangar::bench
