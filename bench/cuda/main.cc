// hangar_cuda_bench [--quick] [--filter=REGEX] [--json=PATH] [--type=bf16|f16] [--no-overlap]
// [--deterministic]: the CUDA backend's kernels on the card that is here, beside what it allows.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <regex>
#include <string_view>

#include "bench_support.h"

namespace {

using hangar::cuda::bench::Bench;
using hangar::cuda::bench::Options;

struct Group {
  const char* name;
  void (*run)(Bench&);
};
constexpr Group kGroups[] = {
    {"matmul", hangar::cuda::bench::matmul_benchmarks},
    {"int4", hangar::cuda::bench::int4_benchmarks},
    {"fp8", hangar::cuda::bench::fp8_benchmarks},
    {"attention", hangar::cuda::bench::attention_benchmarks},
    {"elementwise", hangar::cuda::bench::elementwise_benchmarks},
    {"sampling", hangar::cuda::bench::sampling_benchmarks},
    {"weights", hangar::cuda::bench::weights_benchmarks},
};

constexpr std::string_view kUsage =
    "hangar_cuda_bench [OPTIONS]: the CUDA backend's kernels beside what this card allows\n"
    "  --quick           fewer shapes, fewer replays\n"
    "  --filter=REGEX    only those whose \"group/name\" it matches\n"
    "  --json=PATH       the figures as a file, too\n"
    "  --type=bf16|f16   what they compute in (bf16)\n"
    "  --no-overlap      without programmatic dependent launch\n"
    "  --deterministic   as --deterministic of the server has them\n";

// "" or what is wrong.
std::string parse(int count, char** arguments, Options& options) {
  const auto value = [](std::string_view argument, std::string_view name) {
    return argument.starts_with(name) ? std::string(argument.substr(name.size())) : std::string();
  };
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--quick") {
      options.quick = true;
    } else if (argument == "--no-overlap") {
      options.overlap = false;
    } else if (argument == "--deterministic") {
      options.deterministic = true;
    } else if (argument == "--type=bf16") {
      options.type = hangar::DType::kBF16;
    } else if (argument == "--type=f16") {
      options.type = hangar::DType::kF16;
    } else if (!value(argument, "--filter=").empty()) {
      options.filter = value(argument, "--filter=");
      try {
        const std::regex tried(options.filter);
      } catch (const std::regex_error& error) {
        return fmt::format("{}: {}", argument, error.what());
      }
    } else if (!value(argument, "--json=").empty()) {
      options.json_path = value(argument, "--json=");
    } else {
      return fmt::format("{}: no such option", argument);
    }
  }
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--help") {
    fmt::print("{}", kUsage);
    return 0;
  }
  Options options;
  if (const std::string wrong = parse(argc, argv, options); !wrong.empty()) {
    fmt::print(stderr, "hangar_cuda_bench: {}\n{}", wrong, kUsage);
    return 2;
  }
  try {
    Bench bench(options);
    for (const Group& group : kGroups) {
      try {
        group.run(bench);
      } catch (const std::exception& error) {
        bench.failed(group.name, error.what());
      }
    }
    return bench.finish();
  } catch (const std::exception& error) {
    fmt::print(stderr, "hangar_cuda_bench: {}\n", error.what());
    return 1;
  }
}
