// Llama (1 to 3.3), SmolLM2, Mistral without windows: RMS norms, rotary, grouped-query attention,
// gated MLP, tied or untied head.
#include <array>
#include <utility>
#include <vector>

#include "model/arch/list.h"
#include "model/layers/attention.h"
#include "model/layers/gated_mlp.h"
#include "model/rope.h"
#include "model/weights.h"

namespace hangar {
namespace {

class Llama final : public Model {
 public:
  Llama(ModelConfig config, Backend& backend)
      : config_(std::move(config)), backend_(backend), rope_(make_rope_table(config_.rope)) {}

  Status load(const Checkpoint& checkpoint) {
    WeightLoader loader(checkpoint, backend_);
    HANGAR_TRY(embedding_, loader.load("token_embd.weight", config_.vocabulary, config_.hidden));
    for (std::int32_t i = 0; i < config_.layers; ++i) {
      const std::string prefix = "blk." + std::to_string(i) + ".";
      HANGAR_TRY(auto attention, AttentionLayer::load(loader, config_, prefix));
      HANGAR_TRY(auto mlp, GatedMlp::load(loader, config_, prefix));
      layers_.push_back({std::move(attention), std::move(mlp)});
    }
    HANGAR_TRY(norm_, loader.load("output_norm.weight", 1, config_.hidden));
    if (!config_.tied_embeddings) {
      HANGAR_TRY(head_, loader.load("output.weight", config_.vocabulary, config_.hidden));
    }
    weight_bytes_ = loader.total_bytes();
    return {};
  }

  Status allocate(const ModelLimits& limits) {
    const std::int64_t rows = limits.max_rows;
    const std::int64_t q_columns = std::int64_t{config_.heads} * config_.head_dim;
    const std::int64_t kv_columns = std::int64_t{config_.kv_heads} * config_.head_dim;
    HANGAR_TRY(x_, backend_.allocate(rows, config_.hidden));
    HANGAR_TRY(const Activation normed, backend_.allocate(rows, config_.hidden));
    HANGAR_TRY(const Activation product, backend_.allocate(rows, config_.hidden));
    attention_.normed = mlp_.normed = normed;
    attention_.product = mlp_.product = product;
    HANGAR_TRY(attention_.q, backend_.allocate(rows, q_columns));
    HANGAR_TRY(attention_.out, backend_.allocate(rows, q_columns));
    HANGAR_TRY(attention_.k, backend_.allocate(rows, kv_columns));
    HANGAR_TRY(attention_.v, backend_.allocate(rows, kv_columns));
    HANGAR_TRY(mlp_.gate, backend_.allocate(rows, config_.feed_forward));
    HANGAR_TRY(mlp_.up, backend_.allocate(rows, config_.feed_forward));
    HANGAR_TRY(last_, backend_.allocate(limits.max_logit_rows, config_.hidden));
    HANGAR_TRY(logits_, backend_.allocate(limits.max_logit_rows, config_.vocabulary));
    return {};
  }

  const ModelConfig& config() const override { return config_; }
  std::size_t weight_bytes() const override { return weight_bytes_; }

  KvShape kv_shape(std::int32_t blocks, std::int32_t block_tokens) const override {
    return {config_.layers, blocks, block_tokens, config_.kv_heads, config_.head_dim};
  }

  Activation forward(const RaggedBatch& batch, KvCache& cache) override {
    const Activation x = x_.first_rows(batch.rows());
    backend_.embed(x, *embedding_, batch.token_ids);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      layers_[i].attention.forward(backend_, x, attention_, config_, rope_,
                                   static_cast<std::int32_t>(i), batch, cache);
      layers_[i].mlp.forward(backend_, x, mlp_, config_);
    }
    const auto wanted = static_cast<std::int64_t>(batch.logit_rows.size());
    const Activation last = last_.first_rows(wanted);
    const Activation logits = logits_.first_rows(wanted);
    if (wanted == 0) return logits;
    backend_.gather_rows(last, x, batch.logit_rows);
    backend_.rms_norm(last, last, *norm_, config_.norm_epsilon);
    const Weight* head = config_.tied_embeddings ? embedding_.get() : head_.get();
    backend_.matmul(std::array{logits}, last, std::array{head});
    return logits;
  }

 private:
  struct Layer {
    AttentionLayer attention;
    GatedMlp mlp;
  };

  ModelConfig config_;
  Backend& backend_;
  RopeTable rope_;
  WeightPtr embedding_, norm_, head_;  // head_ is nullptr where it is the embedding
  std::vector<Layer> layers_;
  std::size_t weight_bytes_ = 0;
  Activation x_, last_, logits_;
  AttentionScratch attention_;
  GatedMlpScratch mlp_;
};

}  // namespace

Result<std::unique_ptr<Model>> make_llama(const Checkpoint& checkpoint, const ModelConfig& config,
                                          Backend& backend, const ModelLimits& limits) {
  auto model = std::make_unique<Llama>(config, backend);
  HANGAR_CHECK_OK(model->load(checkpoint));
  HANGAR_CHECK_OK(model->allocate(limits));
  return model;
}

}  // namespace hangar
