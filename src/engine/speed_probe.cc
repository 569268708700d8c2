#include "engine/speed_probe.h"

#include <utility>

#include "backend/registry.h"

namespace hangar {

std::vector<ProbeTest> probe_tests(const SpeedProbeOptions& options) {
  std::vector<ProbeTest> tests;
  for (const std::int32_t n : options.prefill_tokens) {
    tests.push_back({true, n, 1, options.depth_tokens});
  }
  for (const std::int32_t n : options.decode_tokens) {
    for (const std::int32_t sequences : options.sequences) {
      tests.push_back({false, n, sequences, options.depth_tokens});
    }
  }
  return tests;
}

Result<std::vector<SpeedProbeResult>> run_speed_probe(const Checkpoint& checkpoint,
                                                      const SpeedProbeOptions& options) {
  const std::vector<ProbeTest> tests = probe_tests(options);
  const BackendOptions backend_options{.threads = options.threads, .quant = options.quant};
  HANGAR_TRY(auto backend, make_backend(options.backend, backend_options));
  HANGAR_TRY(const auto model,
             ProbeModel::make(checkpoint, std::move(backend), tests, options.batch_rows));
  std::vector<SpeedProbeResult> results;
  for (const ProbeTest& test : tests) {
    SpeedProbeResult result{test, {}};
    model->prepare(test);
    for (std::int32_t i = 0; i < options.repeats; ++i) {
      result.tokens_per_s.push_back(static_cast<double>(test.total_tokens()) /
                                    model->run(test, ProbeEnd::kRead));
    }
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace hangar
