// ProbeModel: a model on a backend, with no engine around it, put through prefill and decode.
//
// Promise: a prefill test is one step: `tokens` random tokens of one sequence, batch_rows at a
// time.
//   A decode test is `tokens` steps of one token for each of `sequences`. Both begin behind
//   depth_tokens of context, which prepare() computes, and may be run again and again. The tests
//   and their names are those of the field's usual benchmarks.
// Units: tokens, seconds.
// Errors: make: as Runner::make; kInvalidArgument where a test is longer than the model's context.
// Threads: one. The checkpoint outlives it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "engine/runner.h"
#include "formats/checkpoint.h"

namespace hangar {

struct ProbeTest {
  bool prefill = false;
  std::int32_t tokens = 128;   // of each sequence
  std::int32_t sequences = 1;  // that decode together; 1 for prefill
  std::int32_t depth_tokens = 0;

  // "pp512", "tg128 x16 @ d128"
  std::string name() const;
  std::int32_t steps() const { return prefill ? 1 : tokens; }
  std::int64_t total_tokens() const { return std::int64_t{tokens} * sequences; }
};

// What is done with the logits of a step, within its time.
enum class ProbeEnd : std::uint8_t {
  kRead,    // copied to the host
  kSample,  // the likeliest taken
};

class ProbeModel {
 public:
  static Result<std::unique_ptr<ProbeModel>> make(const Checkpoint& checkpoint,
                                                  std::unique_ptr<Backend> backend,
                                                  std::span<const ProbeTest> tests,
                                                  std::int32_t batch_rows);
  // Fills the context and warms up.
  void prepare(const ProbeTest& test);
  // prepare(test) came before, and for decode the steps before this one. The seconds it took.
  double run_step(const ProbeTest& test, std::int32_t step, ProbeEnd end);
  // All steps.
  double run(const ProbeTest& test, ProbeEnd end);

 private:
  ProbeModel() = default;
  void prefill(std::int32_t sequence, std::int32_t from, std::int32_t tokens, bool logits,
               ProbeEnd end);
  void decode_step(const ProbeTest& test, std::int32_t position, ProbeEnd end);
  void finish_step(ProbeEnd end);
  std::span<const std::int32_t> blocks_of(std::int32_t sequence) const;

  std::unique_ptr<Runner> runner_;
  std::int32_t batch_rows_ = 0;
  std::size_t blocks_each_ = 0;
  std::vector<std::int32_t> blocks_;
  std::vector<std::int32_t> tokens_;  // of a sequence, by position
  RaggedBatch batch_;
  std::vector<SampleRow> sample_rows_;
  std::vector<Sampled> sampled_;
};

}  // namespace hangar
