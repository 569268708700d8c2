// Perplexity: how well a model predicts a text, token by token.
//
// Promise: run() computes the windows it is given, several in one ragged batch, and adds up the
//   log-likelihoods of what they score. The result does not depend on how many windows share a
//   batch, but for rounding where a backend's rows do (none here does).
// Shapes: a step has at most EvalLimits.step_rows rows, and logits of as many rows as fit
//   logit_bytes: memory is bounded whatever the text and the vocabulary.
// Errors: make: as make_backend and make_model; kInvalidArgument: the context is longer than the
//   model's; kResourceExhausted. run: kInvalidArgument: a token outside the model's vocabulary.
// Threads: one calls; the backend's and a team of its own for the logits work inside. The
//   checkpoint outlives it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "eval/tally.h"
#include "eval/windows.h"
#include "formats/checkpoint.h"
#include "kv/block_pool.h"
#include "kv/block_table.h"
#include "model/model.h"
#include "tensor/kv_type.h"
#include "tensor/weight_quant.h"

namespace hangar {

struct EvalOptions {
  std::string backend = "cpu";
  int threads = 0;
  std::int32_t context_tokens = 512;  // the longest window
  std::int32_t batch_windows = 1;     // computed side by side
  std::int32_t step_rows = 512;
  std::size_t logit_bytes = std::size_t{64} << 20U;
  std::optional<KvType> kv_type = std::nullopt;  // the backend's own
  QuantOptions quant = {};                       // as BackendOptions'
};

// What stands after the windows done so far.
struct PerplexityResult {
  Tally tally;
  std::int64_t windows = 0;
  std::int64_t scored_tokens = 0;
  std::int64_t computed_tokens = 0;  // rows that went through the model, of windows under way too
};

class PerplexityProbe {
 public:
  static Result<std::unique_ptr<PerplexityProbe>> make(const Checkpoint& checkpoint,
                                                       const EvalOptions& options);

  // After each step; false ends the run.
  using Watch = std::function<bool(const PerplexityResult&)>;
  // `first_token` replaces the first token of every window where it is given (BOS). No window has
  // more than context_tokens tokens, nor lies outside `tokens`.
  Result<PerplexityResult> run(std::span<const TokenId> tokens, std::span<const EvalWindow> windows,
                               std::optional<TokenId> first_token, const Watch& watch);

  const ModelConfig& config() const { return model_->config(); }
  std::string backend_description() const { return backend_->description(); }

 private:
  // A window under way.
  struct Active {
    const EvalWindow* window = nullptr;
    std::int32_t done = 0;       // tokens in the cache
    std::int32_t step_rows = 0;  // of the step under way
    std::unique_ptr<BlockTable> blocks;
    Tally tally;
  };
  struct Text {
    std::span<const TokenId> tokens;
    std::optional<TokenId> first_token;
    TokenId at(const EvalWindow& window, std::int32_t i) const {
      if (i == 0 && first_token) return *first_token;
      return tokens[static_cast<std::size_t>(window.begin + i)];
    }
  };

  PerplexityProbe(const EvalOptions& options, std::unique_ptr<Backend> backend,
                  std::int32_t blocks);
  void lay_out(const Text& text, std::vector<Active>& active);
  void score(const Text& text, std::vector<Active>& active);

  EvalOptions options_;
  std::unique_ptr<Backend> backend_;  // goes last: weights and cache live in it
  std::unique_ptr<Model> model_;
  KvCachePtr cache_;
  BlockPool pool_;
  ThreadPool team_;
  std::int32_t logit_rows_ = 0;
  RaggedBatch batch_;
  std::vector<float> logits_;
  std::vector<double> likelihoods_;  // of the step's logit rows
};

}  // namespace hangar
