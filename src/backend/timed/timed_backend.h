// TimedBackend: another backend whose operations are timed, for accounts of where a step goes.
//
// Promise: every call is the inner backend's own, with the same result. Between start() and stop()
//   each operation's time is added up under the part of the step it is for; otherwise nothing is
//   measured. Several clocks a call (some 100 ns in all): an account's whole is held against the
//   same steps without it (engine/step_account.h). Operations that Backend builds from others by
//   default must be forwarded here too, or they are timed in pieces. join_layers() is not, so that
//   layers are timed operation by operation.
// Units: as OperationTimes.
// Threads: as Backend; start and stop are the step thread's.
#pragma once

#include <memory>
#include <unordered_map>

#include "backend/backend.h"
#include "backend/timed/operation_times.h"

namespace hangar {

class TimedBackend : public Backend {
 public:
  explicit TimedBackend(std::unique_ptr<Backend> inner) : inner_(std::move(inner)) {}

  void start();
  // What ran since start().
  OperationTimes stop();

  std::string_view name() const override { return inner_->name(); }
  std::string description() const override { return inner_->description(); }
  void clock_waits(std::int64_t* sum_ns) override { inner_->clock_waits(sum_ns); }
  Result<WeightPtr> load_weight(const TensorView& view, InputPrecision precision) override;
  WeightPtr take_prepared(const TensorView& view, InputPrecision precision) override;
  Result<WeightPtr> random_weight(const TensorView& view, const RandomWeights& how,
                                  InputPrecision precision) override;
  Result<WeightPtr> make_head(const Weight& table) override;
  std::size_t head_bytes(const TensorView& table) const override {
    return inner_->head_bytes(table);
  }
  using Backend::allocate;
  Result<Activation> allocate(std::int64_t rows, std::int64_t columns,
                              ActivationPrecision precision) override;
  Result<std::vector<Activation>> allocate_together(std::int64_t rows,
                                                    std::span<const std::int64_t> columns) override;
  // Each step anew: what is replayed could not be timed by operation.
  void run_step(const RaggedBatch& batch, bool repeatable,
                FunctionRef<void(const RaggedBatch&)> body) override;
  std::optional<std::int64_t> step_device_us() override { return inner_->step_device_us(); }
  std::optional<BackendMemory> memory() const override { return inner_->memory(); }
  std::size_t weight_bytes(const TensorView& view) const override {
    return inner_->weight_bytes(view);
  }
  std::size_t copy_bytes(const TensorView& view) const override { return inner_->copy_bytes(view); }
  bool wants_copies(std::uint64_t copy_bytes, std::uint64_t left_bytes) const override {
    return inner_->wants_copies(copy_bytes, left_bytes);
  }
  void keep_copies() override { inner_->keep_copies(); }
  std::size_t input_bytes(const TensorView& view, std::int64_t rows) const override {
    return inner_->input_bytes(view, rows);
  }
  StepSizes usual_step_sizes() const override { return inner_->usual_step_sizes(); }
  void tune(KvCache& cache) override { inner_->tune(cache); }
  KvType default_kv_type() const override { return inner_->default_kv_type(); }
  Result<KvCachePtr> make_kv_cache(const KvShape& shape) override;
  std::int32_t kv_blocks_that_fit(const KvShape& shape) const override {
    return inner_->kv_blocks_that_fit(shape);
  }
  std::size_t kv_block_bytes(const KvShape& shape) const override;

  void embed(Activation out, const Weight& table, std::span<const std::int32_t> ids) override;
  void rms_norm(Activation out, Activation x, const Weight& weight, float eps) override;
  void head_norm(Activation x, std::int32_t head_dim, const Weight& weight, float eps) override;
  void matmul(std::span<const Activation> ys, Activation x,
              std::span<const Weight* const> weights) override;
  void norm_matmul(std::span<const Activation> ys, Activation x, const InputNorm& norm,
                   std::span<const Weight* const> weights, Activation scratch) override;
  void matmul_add(Activation x, Activation y, const Weight& weight, Activation scratch) override;
  void gate_matmul_add(Activation x, Activation gate, Activation up, GateFunction f,
                       const Weight& weight, Activation scratch) override;
  void rope_write_kv(Activation q, Activation k, Activation v, const RopeTable& table,
                     KvCache& cache, std::int32_t layer, const RaggedBatch& batch) override;
  void add_bias(Activation y, const Weight& bias) override;
  void rope(Activation x, std::int32_t head_dim, std::span<const std::int32_t> positions,
            const RopeTable& table) override;
  void write_kv(KvCache& cache, std::int32_t layer, Activation k, Activation v,
                const RaggedBatch& batch) override;
  void copy_kv_blocks(KvCache& cache, std::span<const BlockCopy> copies) override;
  void attention(Activation out, Activation q, const KvCache& cache, std::int32_t layer,
                 const RaggedBatch& batch, const AttentionShape& shape) override;
  void gate_mul(Activation out, Activation gate, Activation up, GateFunction f) override;
  void scale(Activation x, float factor) override;
  void softcap(Activation x, float cap) override;
  void add(Activation x, Activation y) override;
  void gather_rows(Activation out, Activation x, std::span<const std::int32_t> rows) override;
  void scatter_add_rows(Activation x, Activation y, std::span<const std::int32_t> rows,
                        std::span<const float> weights) override;
  void top_experts(Activation scores, std::int32_t k, bool normalize, std::span<std::int32_t> ids,
                   std::span<float> weights) override;
  Result<std::unique_ptr<const ExpertSet>> join_experts(std::span<const ExpertWeights> experts,
                                                        std::int32_t used) override {
    return inner_->join_experts(experts, used);
  }
  std::int64_t most_mixed_rows() const override { return inner_->most_mixed_rows(); }
  void mix_experts(Activation x, Activation normed, Activation scores, const ExpertSet& experts,
                   bool normalize, GateFunction f) override;
  void sample(Activation logits, std::span<const SampleRow> rows, std::span<Sampled> out) override;
  void write(Activation x, std::span<const float> host) override;
  void read(Activation x, std::span<float> host) override;

 private:
  struct Product {
    StepPart part = StepPart::kOther;
    double bytes = 0.0;
  };

  template <typename Operation>
  void timed(StepPart part, const Operation& operation);
  // An operation with a product of these; notes what it reads and computes.
  template <typename Operation>
  void timed_product(std::span<const Weight* const> weights, std::int64_t rows,
                     const Operation& operation);
  void remember(const Weight& weight, const TensorView& view);

  std::unique_ptr<Backend> inner_;
  std::unordered_map<const Weight*, Product> products_;
  bool running_ = false;
  std::int64_t waits_ns_ = 0;  // the inner backend adds to it while running
  OperationTimes times_;
};

}  // namespace hangar
