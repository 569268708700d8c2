// The fused operations as their parts, and what else every backend does that has nothing better.
#include <array>
#include <cassert>

#include "backend/backend.h"

namespace hangar {

Result<std::vector<Activation>> Backend::allocate_together(std::int64_t rows,
                                                           std::span<const std::int64_t> columns) {
  std::vector<Activation> made;
  for (const std::int64_t count : columns) {
    HANGAR_TRY(made.emplace_back(), allocate(rows, count, ActivationPrecision::kWork));
  }
  return made;
}

void Backend::run_step(const RaggedBatch& batch, bool /*repeatable*/,
                       FunctionRef<void(const RaggedBatch&)> body) {
  body(batch);
}

void Backend::start_sample(Activation /*logits*/, std::span<const SampleRow> /*rows*/) {
  assert(false && "this backend does not run ahead");
}

void Backend::finish_sample(std::span<Sampled> /*out*/) {
  assert(false && "this backend does not run ahead");
}

void Backend::mix_experts(Activation /*x*/, Activation /*normed*/, Activation /*scores*/,
                          const ExpertSet& /*experts*/, bool /*normalize*/, GateFunction /*f*/) {
  assert(false && "this backend joins no experts");
}

void Backend::head_norm(Activation x, std::int32_t head_dim, const Weight& weight, float eps) {
  Activation each = x;
  each.rows = x.rows * x.columns / head_dim;
  each.columns = head_dim;
  rms_norm(each, each, weight, eps);
}

void Backend::norm_matmul(std::span<const Activation> ys, Activation x, const InputNorm& norm,
                          std::span<const Weight* const> weights, Activation scratch) {
  rms_norm(scratch, x, *norm.weight, norm.eps);
  matmul(ys, scratch, weights);
}

void Backend::matmul_add(Activation x, Activation y, const Weight& weight, Activation scratch) {
  matmul(std::array{scratch}, y, std::array{&weight});
  add(x, scratch);
}

void Backend::attention_add(Activation x, Activation out, Activation q, const KvCache& cache,
                            std::int32_t layer, const RaggedBatch& batch,
                            const AttentionShape& shape, const Weight& weight, Activation scratch) {
  attention(out, q, cache, layer, batch, shape);
  matmul_add(x, out, weight, scratch);
}

void Backend::gate_matmul_add(Activation x, Activation gate, Activation up, GateFunction f,
                              const Weight& weight, Activation scratch) {
  gate_mul(gate, gate, up, f);
  matmul_add(x, gate, weight, scratch);
}

void Backend::gated_mlp_add(Activation x, const InputNorm& norm, const MlpWeights& weights,
                            GateFunction f, const MlpScratch& scratch) {
  norm_matmul(std::array{scratch.gate, scratch.up}, x, norm, std::array{weights.gate, weights.up},
              scratch.normed);
  gate_matmul_add(x, scratch.gate, scratch.up, f, *weights.down, scratch.product);
}

void Backend::rope_write_kv(Activation q, Activation k, Activation v, const RopeTable& table,
                            KvCache& cache, std::int32_t layer, const RaggedBatch& batch) {
  rope(q, cache.shape.head_dim, batch.positions, table);
  rope(k, cache.shape.head_dim, batch.positions, table);
  write_kv(cache, layer, k, v, batch);
}

}  // namespace hangar
