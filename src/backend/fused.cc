// The fused operations as their parts: what every backend does that has nothing better.
#include <array>

#include "backend/backend.h"

namespace hangar {

void Backend::norm_matmul(std::span<const Activation> ys, Activation x, const InputNorm& norm,
                          std::span<const Weight* const> weights, Activation scratch) {
  rms_norm(scratch, x, *norm.weight, norm.eps);
  matmul(ys, scratch, weights);
}

void Backend::matmul_add(Activation x, Activation y, const Weight& weight, Activation scratch) {
  matmul(std::array{scratch}, y, std::array{&weight});
  add(x, scratch);
}

void Backend::gate_matmul_add(Activation x, Activation gate, Activation up, GateFunction f,
                              const Weight& weight, Activation scratch) {
  gate_mul(gate, gate, up, f);
  matmul_add(x, gate, weight, scratch);
}

void Backend::rope_write_kv(Activation q, Activation k, Activation v, const RopeTable& table,
                            KvCache& cache, std::int32_t layer, const RaggedBatch& batch) {
  rope(q, cache.shape.head_dim, batch.positions, table);
  rope(k, cache.shape.head_dim, batch.positions, table);
  write_kv(cache, layer, k, v, batch);
}

}  // namespace hangar
