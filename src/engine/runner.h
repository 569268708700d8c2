// Runner: one model on one backend with its KV blocks: turns planned steps into ragged batches.
//
// Promise: run() computes the given tokens of the given sequences in one pass and returns the
// logits
//   of the rows asked for, on the host, row-major.
// Units: tokens. A step has at most max_rows rows and max_logit_rows logit rows.
// Errors: make: what loading the model or making the cache can fail with.
// Threads: one (the step thread). The checkpoint outlives it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "formats/checkpoint.h"
#include "kv/block_pool.h"
#include "kv/block_table.h"
#include "model/model.h"

namespace hangar {

struct RunnerOptions {
  std::string backend = "cpu";
  int threads = 0;
  std::int32_t kv_tokens = 0;  // what the cache holds, over all sequences
  std::int32_t block_tokens = 16;
  ModelLimits limits;
};

class Runner {
 public:
  struct Item {
    std::span<const std::int32_t> tokens;  // to compute now
    std::int32_t context_tokens = 0;       // already in the cache
    const BlockTable* blocks = nullptr;
    std::int32_t wanted_logits = 0;  // of the last so many tokens
  };

  static Result<std::unique_ptr<Runner>> make(const Checkpoint& checkpoint,
                                              const RunnerOptions& options);
  // Valid until the next run().
  std::span<float> run(std::span<const Item> items);

  Backend& backend() { return *backend_; }
  Model& model() { return *model_; }
  BlockPool& pool() { return pool_; }
  std::int32_t block_tokens() const { return options_.block_tokens; }
  const ModelLimits& limits() const { return options_.limits; }
  std::size_t kv_bytes() const { return cache_->memory_bytes; }

 private:
  Runner(RunnerOptions options, std::unique_ptr<Backend> backend, std::int32_t blocks)
      : options_(std::move(options)), backend_(std::move(backend)), pool_(blocks) {}

  RunnerOptions options_;
  std::unique_ptr<Backend> backend_;  // goes last: weights and cache live in it
  std::unique_ptr<Model> model_;
  KvCachePtr cache_;
  BlockPool pool_;
  RaggedBatch batch_;
  std::vector<float> host_logits_;
};

}  // namespace hangar
