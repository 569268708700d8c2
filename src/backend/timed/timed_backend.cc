#include "backend/timed/timed_backend.h"

#include <array>
#include <utility>

#include "base/stop_clock.h"

namespace hangar {

void TimedBackend::start() {
  times_ = {};
  waits_ns_ = 0;
  running_ = true;
  inner_->clock_waits(&waits_ns_);
}

OperationTimes TimedBackend::stop() {
  inner_->clock_waits(nullptr);
  running_ = false;
  return times_;
}

template <typename Operation>
void TimedBackend::timed(StepPart part, const Operation& operation) {
  if (!running_) {
    operation();
    return;
  }
  const std::int64_t waits_before_ns = waits_ns_;
  OperationTime& time = times_.of(part);
  ++time.calls;
  {
    const StopClock clock(&time.ns);
    operation();
  }
  time.waits_ns += waits_ns_ - waits_before_ns;
}

template <typename Operation>
void TimedBackend::timed_product(std::span<const Weight* const> weights, std::int64_t rows,
                                 const Operation& operation) {
  if (!running_) {
    operation();
    return;
  }
  StepPart part = StepPart::kOther;
  double bytes = 0.0;
  double multiply_adds = 0.0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const auto known = products_.find(weights[i]);
    if (known == products_.end()) continue;
    if (i == 0) part = known->second.part;
    bytes += known->second.bytes;
    multiply_adds += static_cast<double>(weights[i]->rows * weights[i]->columns * rows);
  }
  times_.of(part).bytes += bytes;
  times_.of(part).multiply_adds += multiply_adds;
  timed(part, operation);
}

void TimedBackend::remember(const Weight& weight, const TensorView& view) {
  const std::size_t bytes = weight.memory_bytes > 0 ? weight.memory_bytes : view.data.size();
  products_[&weight] = {part_of_weight(view.name), static_cast<double>(bytes)};
}

Result<WeightPtr> TimedBackend::load_weight(const TensorView& view, InputPrecision precision) {
  HANGAR_TRY(WeightPtr weight, inner_->load_weight(view, precision));
  remember(*weight, view);
  return weight;
}

WeightPtr TimedBackend::take_prepared(const TensorView& view, InputPrecision precision) {
  WeightPtr weight = inner_->take_prepared(view, precision);
  if (weight != nullptr) remember(*weight, view);
  return weight;
}

Result<WeightPtr> TimedBackend::random_weight(const TensorView& view, const RandomWeights& how,
                                              InputPrecision precision) {
  HANGAR_TRY(WeightPtr weight, inner_->random_weight(view, how, precision));
  remember(*weight, view);
  return weight;
}

Result<WeightPtr> TimedBackend::make_head(const Weight& table) {
  HANGAR_TRY(WeightPtr head, inner_->make_head(table));
  if (head != nullptr) {
    products_[head.get()] = {StepPart::kHead, static_cast<double>(head->memory_bytes)};
  }
  return head;
}

Result<Activation> TimedBackend::allocate(std::int64_t rows, std::int64_t columns,
                                          ActivationPrecision precision) {
  return inner_->allocate(rows, columns, precision);
}

Result<std::vector<Activation>> TimedBackend::allocate_together(
    std::int64_t rows, std::span<const std::int64_t> columns) {
  return inner_->allocate_together(rows, columns);
}

void TimedBackend::run_step(const RaggedBatch& batch, bool /*repeatable*/,
                            FunctionRef<void(const RaggedBatch&)> body) {
  inner_->run_step(batch, false, body);
}

Result<KvCachePtr> TimedBackend::make_kv_cache(const KvShape& shape) {
  return inner_->make_kv_cache(shape);
}

std::size_t TimedBackend::kv_block_bytes(const KvShape& shape) const {
  return inner_->kv_block_bytes(shape);
}

void TimedBackend::embed(Activation out, const Weight& table, std::span<const std::int32_t> ids) {
  timed(StepPart::kEmbedding, [&] { inner_->embed(out, table, ids); });
}

void TimedBackend::rms_norm(Activation out, Activation x, const Weight& weight, float eps) {
  timed(StepPart::kNorm, [&] { inner_->rms_norm(out, x, weight, eps); });
}

void TimedBackend::head_norm(Activation x, std::int32_t head_dim, const Weight& weight, float eps) {
  timed(StepPart::kNorm, [&] { inner_->head_norm(x, head_dim, weight, eps); });
}

void TimedBackend::matmul(std::span<const Activation> ys, Activation x,
                          std::span<const Weight* const> weights) {
  timed_product(weights, x.rows, [&] { inner_->matmul(ys, x, weights); });
}

void TimedBackend::norm_matmul(std::span<const Activation> ys, Activation x, const InputNorm& norm,
                               std::span<const Weight* const> weights, Activation scratch) {
  timed_product(weights, x.rows, [&] { inner_->norm_matmul(ys, x, norm, weights, scratch); });
}

void TimedBackend::matmul_add(Activation x, Activation y, const Weight& weight,
                              Activation scratch) {
  timed_product(std::array{&weight}, y.rows, [&] { inner_->matmul_add(x, y, weight, scratch); });
}

void TimedBackend::gate_matmul_add(Activation x, Activation gate, Activation up, GateFunction f,
                                   const Weight& weight, Activation scratch) {
  timed_product(std::array{&weight}, gate.rows,
                [&] { inner_->gate_matmul_add(x, gate, up, f, weight, scratch); });
}

void TimedBackend::rope_write_kv(Activation q, Activation k, Activation v, const RopeTable& table,
                                 KvCache& cache, std::int32_t layer, const RaggedBatch& batch) {
  timed(StepPart::kRopeKv, [&] { inner_->rope_write_kv(q, k, v, table, cache, layer, batch); });
}

void TimedBackend::add_bias(Activation y, const Weight& bias) {
  timed(StepPart::kElementwise, [&] { inner_->add_bias(y, bias); });
}

void TimedBackend::rope(Activation x, std::int32_t head_dim,
                        std::span<const std::int32_t> positions, const RopeTable& table) {
  timed(StepPart::kRopeKv, [&] { inner_->rope(x, head_dim, positions, table); });
}

void TimedBackend::write_kv(KvCache& cache, std::int32_t layer, Activation k, Activation v,
                            const RaggedBatch& batch) {
  timed(StepPart::kRopeKv, [&] { inner_->write_kv(cache, layer, k, v, batch); });
}

void TimedBackend::copy_kv_blocks(KvCache& cache, std::span<const BlockCopy> copies) {
  timed(StepPart::kRead, [&] { inner_->copy_kv_blocks(cache, copies); });
}

void TimedBackend::attention(Activation out, Activation q, const KvCache& cache, std::int32_t layer,
                             const RaggedBatch& batch, const AttentionShape& shape) {
  timed(StepPart::kAttention, [&] { inner_->attention(out, q, cache, layer, batch, shape); });
}

void TimedBackend::gate_mul(Activation out, Activation gate, Activation up, GateFunction f) {
  timed(StepPart::kElementwise, [&] { inner_->gate_mul(out, gate, up, f); });
}

void TimedBackend::scale(Activation x, float factor) {
  timed(StepPart::kElementwise, [&] { inner_->scale(x, factor); });
}

void TimedBackend::softcap(Activation x, float cap) {
  timed(StepPart::kElementwise, [&] { inner_->softcap(x, cap); });
}

void TimedBackend::add(Activation x, Activation y) {
  timed(StepPart::kElementwise, [&] { inner_->add(x, y); });
}

void TimedBackend::gather_rows(Activation out, Activation x, std::span<const std::int32_t> rows) {
  timed(StepPart::kElementwise, [&] { inner_->gather_rows(out, x, rows); });
}

void TimedBackend::scatter_add_rows(Activation x, Activation y, std::span<const std::int32_t> rows,
                                    std::span<const float> weights) {
  timed(StepPart::kElementwise, [&] { inner_->scatter_add_rows(x, y, rows, weights); });
}

void TimedBackend::top_experts(Activation scores, std::int32_t k, bool normalize,
                               std::span<std::int32_t> ids, std::span<float> weights) {
  timed(StepPart::kElementwise, [&] { inner_->top_experts(scores, k, normalize, ids, weights); });
}

void TimedBackend::mix_experts(Activation x, Activation normed, Activation scores,
                               const ExpertSet& experts, bool normalize, GateFunction f) {
  timed(StepPart::kOther, [&] { inner_->mix_experts(x, normed, scores, experts, normalize, f); });
}

void TimedBackend::sample(Activation logits, std::span<const SampleRow> rows,
                          std::span<Sampled> out) {
  timed(StepPart::kSampling, [&] { inner_->sample(logits, rows, out); });
}

void TimedBackend::write(Activation x, std::span<const float> host) {
  timed(StepPart::kRead, [&] { inner_->write(x, host); });
}

void TimedBackend::read(Activation x, std::span<float> host) {
  timed(StepPart::kRead, [&] { inner_->read(x, host); });
}

}  // namespace hangar
