#include "model/decoder.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "model/layers/attention.h"
#include "model/layers/gated_mlp.h"
#include "model/layers/moe.h"
#include "model/rope.h"
#include "model/weights.h"

namespace hangar {
namespace {

// The numbers that only some architectures have; formats/ has held the others to the shapes.
Status check_config(const ModelConfig& config, const LayerOptions& options) {
  for (const auto& [name, entries] : {std::pair{"sliding_layers", config.sliding_layers.size()},
                                      {"rotated_layers", config.rotated_layers.size()},
                                      {"expert_layers", config.expert_layers.size()}}) {
    if (entries != 0 && entries != static_cast<std::size_t>(config.layers)) {
      return make_error(ErrorCode::kCorrupt, "{} has {} entries for {} layers", name, entries,
                        config.layers);
    }
  }
  const RopeConfig& rope = config.rope;
  if (rope.scaling == RopeScalingKind::kLongRope) {
    for (const auto* divisors : {&rope.short_divisors, &rope.long_divisors}) {
      if (divisors->size() != static_cast<std::size_t>(rope.dim / 2)) {
        return make_error(ErrorCode::kCorrupt, "longrope has {} divisors for {} rotated pairs",
                          divisors->size(), rope.dim / 2);
      }
    }
  }
  if (!options.experts && config.experts > 0) {
    return make_error(ErrorCode::kUnsupported,
                      "architecture \"{}\" is not supported with experts; the file has {}",
                      config.architecture, config.experts);
  }
  if (options.experts && (config.experts < 1 || config.experts_used < 1 ||
                          config.experts_used > config.experts || config.expert_feed_forward < 1)) {
    return make_error(
        ErrorCode::kCorrupt,
        "architecture \"{}\": {} experts of inner size {}, {} used a token; at least one of each "
        "expected, and no more used than there are",
        config.architecture, config.experts, config.expert_feed_forward, config.experts_used);
  }
  return {};
}

class Decoder final : public Model {
 public:
  Decoder(ModelConfig config, Backend& backend, const ModelLimits& limits)
      : config_(std::move(config)), backend_(backend) {
    const std::int32_t context =
        limits.context_tokens > 0 ? limits.context_tokens : config_.context_tokens;
    rope_ = make_rope_table(config_.rope, context);
    if (config_.sliding_rope) sliding_rope_ = make_rope_table(*config_.sliding_rope, context);
  }

  Status load(const Checkpoint& checkpoint, const LayerOptions& options) {
    WeightLoader loader(checkpoint, backend_);
    HANGAR_TRY(embedding_, loader.load("token_embd.weight", config_.vocabulary, config_.hidden));
    for (std::int32_t i = 0; i < config_.layers; ++i) {
      HANGAR_TRY(auto attention,
                 AttentionLayer::load(loader, config_, options, i, rope_of_layer(i)));
      if (config_.layer_has_experts(i)) {
        HANGAR_TRY(auto moe, MoeLayer::load(loader, config_, i));
        layers_.push_back({std::move(attention), std::move(moe)});
      } else {
        HANGAR_TRY(auto mlp, GatedMlp::load(loader, config_, options, i));
        layers_.push_back({std::move(attention), std::move(mlp)});
      }
    }
    HANGAR_TRY(norm_, loader.load("output_norm.weight", 1, config_.hidden));
    if (!config_.tied_embeddings) {
      HANGAR_TRY(head_, loader.load("output.weight", config_.vocabulary, config_.hidden));
    }
    HANGAR_CHECK_OK(loader.refuse_unused(config_));
    weight_bytes_ = loader.total_bytes();
    if (config_.tied_embeddings) {
      HANGAR_TRY(head_, backend_.make_head(*embedding_));
      if (head_ != nullptr) weight_bytes_ += head_->memory_bytes;
    }
    return join_layers();
  }

  Status allocate(const ModelLimits& limits) {
    const std::int64_t rows = limits.max_rows;
    const std::int64_t q_columns = std::int64_t{config_.heads} * config_.head_dim;
    const std::int64_t kv_columns = std::int64_t{config_.kv_heads} * config_.head_dim;
    HANGAR_TRY(x_, backend_.allocate(rows, config_.hidden, ActivationPrecision::kFull));
    HANGAR_TRY(const Activation normed, backend_.allocate(rows, config_.hidden));
    HANGAR_TRY(const Activation product, backend_.allocate(rows, config_.hidden));
    attention_.normed = mlp_.normed = moe_.normed = normed;
    attention_.product = mlp_.product = moe_.product = product;
    HANGAR_TRY(const auto qkv,
               backend_.allocate_together(rows, std::array{q_columns, kv_columns, kv_columns}));
    attention_.q = qkv[0];
    attention_.k = qkv[1];
    attention_.v = qkv[2];
    HANGAR_TRY(attention_.out, backend_.allocate(rows, q_columns));
    bool plain = false;
    for (std::int32_t i = 0; i < config_.layers; ++i) {
      (config_.layer_has_experts(i) ? experts_ : plain) = true;
    }
    if (plain) {
      const std::int64_t inner = config_.feed_forward;
      HANGAR_TRY(const auto both, backend_.allocate_together(rows, std::array{inner, inner}));
      mlp_.gate = both[0];
      mlp_.up = both[1];
    }
    if (experts_) {
      HANGAR_TRY(moe_.scores, backend_.allocate(rows, config_.experts, ActivationPrecision::kFull));
      HANGAR_TRY(moe_.gathered, backend_.allocate(rows, config_.hidden));
      const std::int64_t inner = config_.expert_feed_forward;
      HANGAR_TRY(const auto both, backend_.allocate_together(rows, std::array{inner, inner}));
      moe_.gate = both[0];
      moe_.up = both[1];
    }
    const std::int64_t last = limits.max_logit_rows;
    HANGAR_TRY(last_, backend_.allocate(last, config_.hidden, ActivationPrecision::kFull));
    HANGAR_TRY(last_normed_, backend_.allocate(last, config_.hidden));
    HANGAR_TRY(logits_, backend_.allocate(last, config_.vocabulary, ActivationPrecision::kLogits));
    return {};
  }

  const ModelConfig& config() const override { return config_; }
  std::size_t weight_bytes() const override { return weight_bytes_; }

  KvShape kv_shape(std::int32_t blocks, std::int32_t block_tokens) const override {
    return {config_.layers,   blocks,           block_tokens,
            config_.kv_heads, config_.head_dim, backend_.default_kv_type()};
  }

  Activation forward(const RaggedBatch& batch, KvCache& cache) override {
    // What experts do depends on the scores: a step that the host reads them in is not the same
    // twice.
    const bool repeatable = std::ranges::all_of(layers_, [&](const Layer& layer) {
      const auto* moe = std::get_if<MoeLayer>(&layer.mlp);
      return moe == nullptr || !moe->needs_host(backend_, batch.rows());
    });
    backend_.run_step(batch, repeatable, [&](const RaggedBatch& rows) { compute(rows, cache); });
    return logits_.first_rows(std::ssize(batch.logit_rows));
  }

 private:
  struct Layer {
    AttentionLayer attention;
    std::variant<GatedMlp, MoeLayer> mlp;
  };

  void compute(const RaggedBatch& batch, KvCache& cache) {
    const Activation x = x_.first_rows(batch.rows());
    backend_.embed(x, *embedding_, batch.token_ids);
    if (config_.embedding_scale != 1.0F) backend_.scale(x, config_.embedding_scale);
    if (stack_ == nullptr || !backend_.run_layers(x, *stack_, cache, batch)) {
      run_layers(batch, cache, x);
    }
    if (batch.logit_rows.empty()) return;
    const std::int64_t wanted = std::ssize(batch.logit_rows);
    // All of them lie as they are to be.
    const bool all = wanted == batch.rows();
    const Activation last = all ? x : last_.first_rows(wanted);
    const Activation logits = logits_.first_rows(wanted);
    if (!all) backend_.gather_rows(last, x, batch.logit_rows);
    const Weight* head = head_ != nullptr ? head_.get() : embedding_.get();
    backend_.norm_matmul(std::array{logits}, last, {norm_.get(), config_.norm_epsilon},
                         std::array{head}, last_normed_.first_rows(wanted));
    if (config_.logit_softcap > 0.0F) backend_.softcap(logits, config_.logit_softcap);
  }

  void run_layers(const RaggedBatch& batch, KvCache& cache, Activation x) {
    const LayerStep step{backend_, batch, cache};
    for (const Layer& layer : layers_) {
      layer.attention.forward(step, x, attention_);
      if (const auto* moe = std::get_if<MoeLayer>(&layer.mlp)) {
        moe->forward(backend_, x, moe_);
      } else {
        std::get<GatedMlp>(layer.mlp).forward(backend_, x, mlp_);
      }
    }
  }

  // Where all layers are plain ones, the backend may take them as one.
  Status join_layers() {
    std::vector<StackedLayer> all(layers_.size());
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const auto* mlp = std::get_if<GatedMlp>(&layers_[i].mlp);
      if (mlp == nullptr || !mlp->stack_into(all[i]) || !layers_[i].attention.stack_into(all[i])) {
        return {};
      }
    }
    HANGAR_TRY(stack_, backend_.join_layers(all));
    return {};
  }

  // nullptr: the layer is not rotated.
  const RopeTable* rope_of_layer(std::int32_t layer) const {
    if (!config_.layer_rotates(layer)) return nullptr;
    return sliding_rope_ && config_.layer_slides(layer) ? &*sliding_rope_ : &rope_;
  }

  ModelConfig config_;
  Backend& backend_;
  RopeTable rope_;  // layers point to it and to the next
  std::optional<RopeTable> sliding_rope_;
  WeightPtr embedding_, norm_, head_;  // head_: nullptr where it is embedding_
  std::vector<Layer> layers_;
  std::unique_ptr<const LayerStack> stack_;  // nullptr: the backend has no way for all as one
  std::size_t weight_bytes_ = 0;
  bool experts_ = false;  // some layer has them
  Activation x_, last_, last_normed_, logits_;
  AttentionScratch attention_;
  GatedMlpScratch mlp_;
  MoeScratch moe_;
};

}  // namespace

Result<std::unique_ptr<Model>> make_decoder(const ModelSource& source, ModelConfig config,
                                            const LayerOptions& options) {
  HANGAR_CHECK_OK(check_config(config, options));
  auto model = std::make_unique<Decoder>(std::move(config), source.backend, source.limits);
  HANGAR_CHECK_OK(model->load(source.checkpoint, options));
  HANGAR_CHECK_OK(model->allocate(source.limits));
  return model;
}

}  // namespace hangar
