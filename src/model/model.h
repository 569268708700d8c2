// Model: from a step's tokens to logits.
//
// Promise: forward() runs every row of the batch through the layers, writes their keys and values
//   where the block tables say and returns logits {batch.logit_rows.size(), vocabulary} for the
//   rows asked for, in order. A row's result depends only on its own sequence.
// Shapes: at most max_rows rows and max_logit_rows logit rows a step.
// Errors: make_model: kCorrupt or kUnsupported with the tensor's name and shape. forward() has
// none. Threads: one thread (the step thread) calls forward().
#pragma once

#include <cstdint>
#include <memory>

#include "backend/backend.h"
#include "base/result.h"
#include "formats/checkpoint.h"
#include "formats/model_config.h"
#include "tensor/activation.h"
#include "tensor/ragged_batch.h"

namespace hangar {

struct ModelLimits {
  std::int32_t max_rows = 512;       // rows of one step
  std::int32_t max_logit_rows = 64;  // rows of one step whose logits are wanted
  // Tokens a sequence may grow to; 0: what the config says. Chooses longrope's divisors.
  std::int32_t context_tokens = 0;
};

class Model {
 public:
  virtual ~Model() = default;
  virtual const ModelConfig& config() const = 0;
  virtual KvShape kv_shape(std::int32_t blocks, std::int32_t block_tokens) const = 0;
  // Valid until the next forward().
  virtual Activation forward(const RaggedBatch& batch, KvCache& cache) = 0;
  virtual std::size_t weight_bytes() const = 0;  // held by the backend, beside the mapped file
};

// Looks the architecture up in the list (model/arch/list.h). `checkpoint` and `backend` outlive it.
Result<std::unique_ptr<Model>> make_model(const Checkpoint& checkpoint, Backend& backend,
                                          const ModelLimits& limits);

}  // namespace hangar
