// Runner: one model on one backend with its KV blocks: computes a laid-out step and samples from
// it.
//
// Promise: run() makes the copies, computes every row and leaves the logits of the rows asked for;
//   sample() draws from them. read_logits() brings them to the host.
// Units: tokens. A step has at most limits().max_rows rows and max_logit_rows logit rows.
// Errors: make: what loading the model or making the cache can fail with.
// Threads: one at a time. The checkpoint outlives it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "formats/checkpoint.h"
#include "model/model.h"

namespace hangar {

struct RunnerOptions {
  std::int32_t kv_blocks = 1;
  std::int32_t block_tokens = 16;
  std::optional<KvType> kv_type;  // none: the backend's own
  ModelLimits limits;
};

class Runner {
 public:
  static Result<std::unique_ptr<Runner>> make(const Checkpoint& checkpoint,
                                              std::unique_ptr<Backend> backend,
                                              const RunnerOptions& options);
  void run(const RaggedBatch& batch, std::span<const BlockCopy> copies);
  void sample(std::span<const SampleRow> rows, std::span<Sampled> out);
  // The same in two halves, where the backend runs ahead: finish_sample is of the oldest step that
  // is not finished.
  void start_sample(std::span<const SampleRow> rows) { backend_->start_sample(logits_, rows); }
  void finish_sample(std::span<Sampled> out) { backend_->finish_sample(out); }
  // Row-major; valid until the next call.
  std::span<const float> read_logits();

  Backend& backend() { return *backend_; }
  Model& model() { return *model_; }
  std::int32_t block_tokens() const { return options_.block_tokens; }
  const ModelLimits& limits() const { return options_.limits; }
  std::int32_t kv_blocks() const { return cache_->shape.blocks; }  // perhaps fewer than asked for
  std::size_t kv_bytes() const { return cache_->memory_bytes; }
  KvType kv_type() const { return cache_->shape.type; }

 private:
  Runner(const RunnerOptions& options, std::unique_ptr<Backend> backend)
      : options_(options), backend_(std::move(backend)) {}
  Status warm_up();

  RunnerOptions options_;
  std::unique_ptr<Backend> backend_;  // goes last: weights and cache live in it
  std::unique_ptr<Model> model_;
  KvCachePtr cache_;
  Activation logits_;
  std::vector<float> host_logits_;
};

// Appends a sequence to `batch`: `tokens` at positions from `context_tokens` on, in `blocks`, with
// the logits of the last `logit_rows` of them wanted. Returns the index of the first of these
// logits.
std::int32_t append_sequence(RaggedBatch& batch, std::span<const std::int32_t> tokens,
                             std::int32_t context_tokens, std::span<const std::int32_t> blocks,
                             std::int32_t logit_rows);

}  // namespace hangar
