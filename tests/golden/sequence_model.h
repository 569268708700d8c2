// SequenceModel: a model on a backend, with keys and values of some sequences side by side.
//
// Promise: step() computes rows of several sequences in one ragged batch, each behind what that
//   sequence has already, and gives the logits of the rows that are wanted. whole() and
//   token_by_token() give every position's logits of texts, text s as sequence s: a text a step,
//   or a token of several texts a step. Each sequence's blocks lie scattered among the others'.
// Units: logits as the model gives them.
// Errors: open: what making the backend, the model or the cache can fail with.
// Threads: one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/backend_options.h"
#include "base/result.h"
#include "formats/checkpoint.h"
#include "golden/agreement.h"
#include "model/model.h"
#include "tensor/kv_type.h"

namespace hangar::golden {

struct SequenceModelOptions {
  std::string backend = "cpu";
  BackendOptions backend_options = {};
  std::optional<KvType> kv_type = {};  // none: the backend's own
  ModelLimits limits = {};
};

class SequenceModel {
 public:
  // tokens: the most that each sequence will have.
  static Result<std::unique_ptr<SequenceModel>> open(std::shared_ptr<const Checkpoint> checkpoint,
                                                     const SequenceModelOptions& options,
                                                     std::span<const std::int32_t> tokens);

  // The rows of a part go on from that sequence's context.
  struct Part {
    std::size_t sequence = 0;
    std::int32_t context_tokens = 0;
    std::vector<std::int32_t> ids;
    std::vector<std::int32_t> wanted;  // rows of this part
  };
  std::vector<std::vector<float>> step(const std::vector<Part>& parts);

  std::size_t weight_bytes() const { return model_->weight_bytes(); }
  std::size_t vocabulary() const { return static_cast<std::size_t>(model_->config().vocabulary); }

 private:
  std::unique_ptr<Backend> backend_;
  std::shared_ptr<const Checkpoint> checkpoint_;
  std::unique_ptr<Model> model_;
  KvCachePtr cache_;
  std::vector<std::vector<std::int32_t>> tables_;  // a sequence each
};

using Text = std::vector<std::int32_t>;

// The tokens of each, for SequenceModel::open.
std::vector<std::int32_t> lengths_of(std::span<const Text> texts);
Logits whole(SequenceModel& model, std::span<const Text> texts);
// `together`: texts of a step at most; those of about one length go together.
Logits token_by_token(SequenceModel& model, std::span<const Text> texts, std::size_t together);

}  // namespace hangar::golden
