// micro_benchmarks [--quick] [--instruction-set=NAME] [--benchmark_filter=REGEX ...]: every
// micro-benchmark there is.
//
// All of it takes some minutes (a tenth of a second for each line). --quick: the smallest model's
// shapes only and a fifth of the time for each, under a minute.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "backend/cpu/instruction_set.h"
#include "bench_support.h"
#include "machine_bounds.h"

namespace {

// What the counters' bounds were computed from, for whoever reads the figures.
void add_context() {
  using namespace hangar::bench;
  const int count = threads();
  const auto giga = [](double rate) { return fmt::format("{:.1f} G/s", rate / 1e9); };
  std::string sets;
  for (const auto set : hangar::cpu::supported_instruction_sets()) {
    sets += (sets.empty() ? "" : ", ") + hangar::cpu::instruction_set_name(set);
  }
  benchmark::AddCustomContext("instruction sets there are", sets);
  benchmark::AddCustomContext("backend", backend().description());
  benchmark::AddCustomContext("bytes read, 4 MB", giga(read_bytes_per_s(count, 4U << 20U)));
  benchmark::AddCustomContext("bytes read, 64 MB", giga(read_bytes_per_s(count, 64U << 20U)));
  benchmark::AddCustomContext("bytes read, 1 GB", giga(read_bytes_per_s(count, 1U << 30U)));
  benchmark::AddCustomContext("int8 multiply-adds", giga(int8_macs_per_s(count)));
  benchmark::AddCustomContext("bf16 multiply-adds", giga(bf16_macs_per_s(count)));
  benchmark::AddCustomContext("float multiply-adds", giga(float_macs_per_s(count)));
}

// Whether there is one of this name; from then on it is used.
bool use_instruction_set(std::string_view name) {
  for (const auto set : hangar::cpu::supported_instruction_sets()) {
    if (hangar::cpu::instruction_set_name(set) != name) continue;
    hangar::cpu::force_instruction_set(set);
    return true;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  hangar::bench::BenchOptions options;
  std::vector<char*> arguments;
  std::string min_time = "--benchmark_min_time=0.1";
  for (int i = 0; i < argc; ++i) {
    constexpr std::string_view kSet = "--instruction-set=";
    const std::string_view argument = argv[i];
    if (argument.starts_with(kSet)) {
      if (!use_instruction_set(argument.substr(kSet.size()))) {
        fmt::print(stderr, "{}: this processor has none of that name\n", argument);
        return 2;
      }
    } else if (argument == "--quick") {
      options.quick = true;
      min_time = "--benchmark_min_time=0.02";
    } else {
      arguments.push_back(argv[i]);
    }
  }
  // First, so that a --benchmark_min_time of the user's comes after it.
  arguments.insert(arguments.begin() + 1, min_time.data());
  auto count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 1;
  hangar::bench::register_matmuls(options);
  hangar::bench::register_attention(options);
  hangar::bench::register_elementwise(options);
  hangar::bench::register_sampling(options);
  add_context();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
