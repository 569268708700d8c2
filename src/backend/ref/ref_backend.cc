#include "backend/ref/ref_backend.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <new>

#include "backend/checks.h"
#include "backend/host_memory.h"
#include "backend/ref/ops.h"
#include "quant/view_rows.h"

namespace hangar {
namespace {

class RefWeight final : public Weight {
 public:
  HostMemory memory;
  const float* data() const { return memory.as<float>(); }
  const float* row(std::int64_t r) const { return data() + r * columns; }
};

class RefKvCache final : public KvCache {
 public:
  HostMemory memory;
  ref::KvLayer layer(std::int32_t index) const {
    const std::int64_t width = std::int64_t{shape.kv_heads} * shape.head_dim;
    const std::int64_t elements = width * shape.block_tokens * shape.blocks;
    float* keys = memory.as<float>() + 2 * index * elements;
    return {keys, keys + elements, shape.block_tokens, width, shape.head_dim, shape.type};
  }
};

const RefWeight& as_ref(const Weight& weight) {
  return static_cast<const RefWeight&>(weight);
}

class RefBackend final : public Backend {
 public:
  std::string_view name() const override { return "ref"; }
  std::string description() const override { return "ref: plain float32 loops, 1 thread"; }

  Result<WeightPtr> load_weight(const TensorView& view, InputPrecision /*exact*/) override {
    HANGAR_CHECK_OK(check_weight_view(view));
    auto weight = std::make_unique<RefWeight>();
    weight->rows = view.rows();
    weight->columns = view.columns();
    weight->form = "f32";
    HANGAR_TRY(const std::size_t bytes, activation_bytes(weight->rows, weight->columns));
    HANGAR_TRY(weight->memory, HostMemory::allocate(bytes, view.name));
    weight->memory_bytes = bytes;
    for (std::int64_t r = 0; r < weight->rows; ++r) {
      dequantize_view_row(view, r, weight->memory.as<float>() + r * weight->columns);
    }
    return WeightPtr(std::move(weight));
  }

  Result<Activation> allocate(std::int64_t rows, std::int64_t columns,
                              ActivationPrecision /*all full*/) override {
    HANGAR_TRY(const std::size_t bytes, activation_bytes(rows, columns));
    HANGAR_TRY(HostMemory memory, HostMemory::allocate(bytes, "activations"));
    arena_.push_back(std::move(memory));
    return Activation{arena_.back().data(), rows, columns, DType::kF32};
  }

  KvType default_kv_type() const override { return KvType::kF32; }

  Result<KvCachePtr> make_kv_cache(const KvShape& shape) override {
    HANGAR_CHECK_OK(check_kv_shape(shape));
    auto cache = std::make_unique<RefKvCache>();
    cache->shape = shape;
    cache->memory_bytes = kv_block_bytes(shape) * static_cast<std::size_t>(shape.blocks);
    HANGAR_TRY(cache->memory, HostMemory::allocate(cache->memory_bytes, "the KV cache"));
    return KvCachePtr(std::move(cache));
  }

  std::size_t kv_block_bytes(const KvShape& shape) const override {
    return checked_product(
               {2, sizeof(float), shape.layers, shape.block_tokens, shape.kv_heads, shape.head_dim})
        .value_or(std::numeric_limits<std::size_t>::max());
  }

  void embed(Activation out, const Weight& table, std::span<const std::int32_t> ids) override {
    assert(out.rows == std::ssize(ids) && out.columns == table.columns);
    for (std::int64_t r = 0; r < out.rows; ++r) {
      const float* from = as_ref(table).row(ids[static_cast<std::size_t>(r)]);
      std::copy_n(from, out.columns, out.row(r).data());
    }
  }

  void rms_norm(Activation out, Activation x, const Weight& weight, float eps) override {
    assert(out.rows == x.rows && out.columns == x.columns && weight.columns == x.columns);
    ref::rms_norm(out, x, as_ref(weight).data(), eps);
  }

  void matmul(std::span<const Activation> ys, Activation x,
              std::span<const Weight* const> weights) override {
    assert(ys.size() == weights.size());
    for (std::size_t i = 0; i < ys.size(); ++i) {
      assert(ys[i].rows == x.rows && ys[i].columns == weights[i]->rows);
      assert(x.columns == weights[i]->columns);
      ref::matmul(ys[i], x, as_ref(*weights[i]).data());
    }
  }

  void add_bias(Activation y, const Weight& bias) override {
    assert(bias.columns == y.columns);
    ref::add_bias(y, as_ref(bias).data());
  }

  void rope(Activation x, std::int32_t head_dim, std::span<const std::int32_t> positions,
            const RopeTable& table) override {
    assert(x.rows == std::ssize(positions) && x.columns % head_dim == 0);
    assert(2 * std::ssize(table.inverse_frequency) <= head_dim);
    ref::rope(x, head_dim, positions, table);
  }

  void write_kv(KvCache& cache, std::int32_t layer, Activation k, Activation v,
                const RaggedBatch& batch) override {
    assert(batch.block_tokens == cache.shape.block_tokens);
    assert(k.rows == v.rows && k.columns == v.columns);
    assert(k.columns == std::int64_t{cache.shape.kv_heads} * cache.shape.head_dim);
    ref::write_kv(static_cast<RefKvCache&>(cache).layer(layer), k, v, batch);
  }

  void copy_kv_blocks(KvCache& cache, std::span<const BlockCopy> copies) override {
    for (std::int32_t index = 0; index < cache.shape.layers; ++index) {
      const ref::KvLayer layer = static_cast<RefKvCache&>(cache).layer(index);
      const std::int64_t elements = layer.width * layer.block_tokens;
      for (const BlockCopy& copy : copies) {
        assert(copy.from >= 0 && copy.from < cache.shape.blocks);
        assert(copy.to >= 0 && copy.to < cache.shape.blocks && copy.to != copy.from);
        std::copy_n(layer.key(copy.from, 0), elements, layer.key(copy.to, 0));
        std::copy_n(layer.value(copy.from, 0), elements, layer.value(copy.to, 0));
      }
    }
  }

  void attention(Activation out, Activation q, const KvCache& cache, std::int32_t layer,
                 const RaggedBatch& batch, const AttentionShape& shape) override {
    assert(batch.block_tokens == cache.shape.block_tokens);
    assert(q.columns == std::int64_t{shape.heads} * shape.head_dim && out.columns == q.columns);
    assert(shape.heads % shape.kv_heads == 0 && shape.kv_heads == cache.shape.kv_heads);
    ref::attention(out, q, static_cast<const RefKvCache&>(cache).layer(layer), batch, shape);
  }

  void gate_mul(Activation out, Activation gate, Activation up, GateFunction f) override {
    assert(out.rows == gate.rows && out.columns == gate.columns);
    assert(up.rows == gate.rows && up.columns == gate.columns);
    ref::gate_mul(out, gate, up, f);
  }

  void scale(Activation x, float factor) override { ref::scale(x, factor); }

  void softcap(Activation x, float cap) override {
    assert(cap > 0.0F);
    ref::softcap(x, cap);
  }

  void add(Activation x, Activation y) override {
    assert(x.rows == y.rows && x.columns == y.columns);
    ref::add(x, y);
  }

  void gather_rows(Activation out, Activation x, std::span<const std::int32_t> rows) override {
    assert(out.rows == std::ssize(rows) && out.columns == x.columns);
    for (std::int64_t i = 0; i < out.rows; ++i) {
      std::ranges::copy(x.row(rows[static_cast<std::size_t>(i)]), out.row(i).data());
    }
  }

  void scatter_add_rows(Activation x, Activation y, std::span<const std::int32_t> rows,
                        std::span<const float> weights) override {
    assert(y.rows == std::ssize(rows) && weights.size() == rows.size() && x.columns == y.columns);
    assert(std::ranges::all_of(rows, [&](std::int32_t r) { return r >= 0 && r < x.rows; }));
    ref::scatter_add_rows(x, y, rows, weights);
  }

  void top_experts(Activation scores, std::int32_t k, bool normalize, std::span<std::int32_t> ids,
                   std::span<float> weights) override {
    assert(k > 0 && k <= scores.columns);
    assert(std::ssize(ids) == scores.rows * k && weights.size() == ids.size());
    ref::top_experts(scores, k, normalize, ids, weights);
  }

  void sample(Activation logits, std::span<const SampleRow> rows, std::span<Sampled> out) override {
    assert_sample_rows(logits, rows, out);
    ref::sample(logits, rows, out);
  }

  void write(Activation x, std::span<const float> host) override {
    assert(std::ssize(host) == x.rows * x.columns);
    std::ranges::copy(host, x.f32());
  }

  void read(Activation x, std::span<float> host) override {
    assert(std::ssize(host) == x.rows * x.columns);
    std::copy_n(x.f32(), host.size(), host.data());
  }

 private:
  std::vector<HostMemory> arena_;
};

}  // namespace

std::unique_ptr<Backend> make_ref_backend(int /*threads*/) {
  return std::make_unique<RefBackend>();
}

}  // namespace hangar
