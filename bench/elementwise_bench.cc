// The passes over rows between the products.
//
// Counters: GB/s are the floats read and written. The bound is these bytes by the machine's read
//   bandwidth for as many; few rows lie in the first cache, which is faster than what is measured
//   for the smallest working set, 1 MB a thread.
#include <cmath>
#include <cstring>
#include <memory>
#include <string>

#include "bench_support.h"
#include "machine_bounds.h"
#include "model_shapes.h"

namespace hangar::bench {
namespace {

using Pass = void (*)(const ModelShape& model, std::int64_t rows);

struct Operation {
  const char* name;
  Pass pass;
  // Floats read and written for each row.
  double (*floats)(const ModelShape& model);
};

void norm(const ModelShape& model, std::int64_t rows) {
  const Activation x = activation(0, rows, model.hidden);
  backend().rms_norm(activation(1, rows, model.hidden), x, norm_weight(model.hidden), 1e-5F);
}

void add(const ModelShape& model, std::int64_t rows) {
  backend().add(activation(0, rows, model.hidden), activation(1, rows, model.hidden));
  // Or the sum would grow without end.
  backend().scale(activation(0, rows, model.hidden), 0.5F);
}

void gate_mul(const ModelShape& model, std::int64_t rows) {
  const Activation out = activation(0, rows, model.feed_forward);
  backend().gate_mul(out, activation(1, rows, model.feed_forward),
                     activation(2, rows, model.feed_forward), GateFunction::kSilu);
}

void rope(const ModelShape& model, std::int64_t rows) {
  static RopeTable table;
  static std::vector<std::int32_t> positions;
  const auto pairs = static_cast<std::size_t>(model.head_dim / 2);
  if (table.inverse_frequency.size() != pairs) {
    table.inverse_frequency.clear();
    for (std::size_t i = 0; i < pairs; ++i) {
      const auto part = static_cast<float>(i) / static_cast<float>(pairs);
      table.inverse_frequency.push_back(std::pow(10000.0F, -part));
    }
  }
  positions.resize(static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<std::int32_t>(i);
  backend().rope(activation(0, rows, model.q_columns()), model.head_dim, positions, table);
}

const Operation kOperations[] = {
    {"rms_norm", norm, [](const ModelShape& m) { return 2.0 * static_cast<double>(m.hidden); }},
    {"add_and_scale", add, [](const ModelShape& m) { return 5.0 * static_cast<double>(m.hidden); }},
    {"rope", rope, [](const ModelShape& m) { return 2.0 * static_cast<double>(m.q_columns()); }},
    {"gate_mul", gate_mul,
     [](const ModelShape& m) { return 3.0 * static_cast<double>(m.feed_forward); }},
};

void run(benchmark::State& state, const ModelShape* model, const Operation* operation) {
  const std::int64_t rows = state.range(0);
  operation->pass(*model, rows);  // makes what it works on
  for (auto _ : state) operation->pass(*model, rows);
  Work work;
  work.bytes = operation->floats(*model) * static_cast<double>(rows) * sizeof(float);
  work.bound_s = work.bytes / read_bytes_per_s(threads(), static_cast<std::size_t>(work.bytes));
  set_counters(state, work);
}

// Rows of a table in 8 bits to floats: bytes of both.
void embed(benchmark::State& state, const ModelShape* model) {
  static const ModelShape* made = nullptr;
  static std::vector<std::byte> bytes;
  static WeightPtr table;
  constexpr std::int64_t kTableRows = 8192;
  if (made != model) {
    bytes = random_weight_bytes(DType::kQ8_0, kTableRows, model->hidden);
    const TensorView view{"table", DType::kQ8_0, {kTableRows, model->hidden}, bytes};
    table = backend().load_weight(view, InputPrecision::kFast).value();
    made = model;
  }
  const std::int64_t rows = state.range(0);
  std::vector<std::int32_t> ids(static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<std::int32_t>(i * 7919 % kTableRows);
  }
  const Activation out = activation(0, rows, model->hidden);
  for (auto _ : state) backend().embed(out, *table, ids);
  Work work;
  work.bytes = static_cast<double>(rows * model->hidden) * (4.0 + 34.0 / 32.0);
  work.bound_s = work.bytes / read_bytes_per_s(threads(), static_cast<std::size_t>(work.bytes));
  set_counters(state, work);
}

}  // namespace

void register_elementwise(const BenchOptions& options) {
  const auto with_rows = [](benchmark::internal::Benchmark* b) {
    b->Arg(1)->Arg(16)->Arg(512)->ArgName("rows")->UseRealTime()->Unit(benchmark::kMicrosecond);
  };
  for (const ModelShape& model : kModelShapes) {
    if (options.quick && &model != &kModelShapes.front()) break;
    for (const Operation& operation : kOperations) {
      const std::string name = std::string(operation.name) + "/" + model.name;
      with_rows(benchmark::RegisterBenchmark(name.c_str(), run, &model, &operation));
    }
    const std::string name = std::string("embed/") + model.name + "/Q8_0";
    with_rows(benchmark::RegisterBenchmark(name.c_str(), embed, &model));
  }
}

}  // namespace hangar::bench
