#include "backend/cpu/cpu_backend.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>

#include "backend/checks.h"
#include "backend/cpu/attention_runner.h"
#include "backend/cpu/cpu_weight.h"
#include "backend/cpu/elementwise.h"
#include "backend/cpu/instruction_set.h"
#include "backend/cpu/kv_cache.h"
#include "backend/cpu/matmul_runner.h"
#include "backend/cpu/rope.h"
#include "quant/dequantize.h"

namespace hangar {
namespace {

using cpu::CpuKvCache;
using cpu::CpuWeight;

// Elements below which a loop over rows is done before another thread has woken.
constexpr std::int64_t kShareElements = 1 << 14;

const CpuWeight& as_cpu(const Weight& weight) {
  return static_cast<const CpuWeight&>(weight);
}

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(int threads) : pool_(threads) {}

  std::string_view name() const override { return "cpu"; }
  std::string description() const override {
    return fmt::format("cpu: {}, {} threads", cpu::instruction_set(), pool_.threads());
  }

  Result<WeightPtr> load_weight(const TensorView& view, InputPrecision precision) override {
    HANGAR_TRY(auto weight, cpu::load_cpu_weight(view, pool_));
    weight->fine_inputs = precision == InputPrecision::kFine;
    return WeightPtr(std::move(weight));
  }

  Result<Activation> allocate(std::int64_t rows, std::int64_t columns) override {
    HANGAR_TRY(const std::size_t bytes, activation_bytes(rows, columns));
    HANGAR_TRY(HostMemory memory, HostMemory::allocate(bytes, "activations"));
    HANGAR_CHECK_OK(matmul_.reserve(rows, columns));
    arena_.push_back(std::move(memory));
    return Activation{arena_.back().data(), rows, columns, DType::kF32};
  }

  Result<KvCachePtr> make_kv_cache(const KvShape& shape) override {
    HANGAR_CHECK_OK(check_kv_shape(shape));
    auto cache = std::make_unique<CpuKvCache>(shape);
    cache->memory_bytes = kv_block_bytes(shape) * static_cast<std::size_t>(shape.blocks);
    HANGAR_TRY(cache->memory, HostMemory::allocate(cache->memory_bytes, "the KV cache"));
    return KvCachePtr(std::move(cache));
  }

  std::size_t kv_block_bytes(const KvShape& shape) const override {
    if (!check_kv_shape(shape)) return std::numeric_limits<std::size_t>::max();
    return static_cast<std::size_t>(cpu::KvLayout(shape).block * shape.layers) *
           sizeof(std::uint16_t);
  }

  void embed(Activation out, const Weight& table, std::span<const std::int32_t> ids) override {
    assert(out.rows == std::ssize(ids) && out.columns == table.columns);
    const TensorView& view = as_cpu(table).view;
    const std::size_t bytes = row_bytes(view.dtype, table.columns);
    for_rows(out.rows, out.columns, [&](std::int64_t r) {
      const auto id = static_cast<std::size_t>(ids[static_cast<std::size_t>(r)]);
      assert(static_cast<std::int64_t>(id) < table.rows);
      dequantize_row(view.dtype, view.data.data() + id * bytes, out.row(r).data(), out.columns);
    });
  }

  void rms_norm(Activation out, Activation x, const Weight& weight, float eps) override {
    assert(out.rows == x.rows && out.columns == x.columns);
    assert(weight.rows == 1 && weight.columns == x.columns);
    const float* w = as_cpu(weight).vector();
    for_rows(x.rows, x.columns, [&](std::int64_t r) {
      cpu::rms_norm_row(out.row(r).data(), x.row(r).data(), w, x.columns, eps);
    });
  }

  void matmul(std::span<const Activation> ys, Activation x,
              std::span<const Weight* const> weights) override {
    assert(ys.size() == weights.size());
    for (std::size_t i = 0; i < ys.size(); ++i) {
      assert(ys[i].rows == x.rows && ys[i].columns == weights[i]->rows);
      assert(x.columns == weights[i]->columns);
    }
    matmul_.run(ys, x, weights, pool_);
  }

  void add_bias(Activation y, const Weight& bias) override {
    assert(bias.rows == 1 && bias.columns == y.columns);
    const float* b = as_cpu(bias).vector();
    for_rows(y.rows, y.columns,
             [&](std::int64_t r) { cpu::add_row(y.row(r).data(), b, y.columns); });
  }

  void rope(Activation x, std::int32_t head_dim, std::span<const std::int32_t> positions,
            const RopeTable& table) override {
    assert(x.rows == std::ssize(positions) && x.columns % head_dim == 0);
    assert(2 * std::ssize(table.inverse_frequency) <= head_dim);
    angles_.prepare(positions, table);
    for_rows(x.rows, x.columns, [&](std::int64_t r) {
      cpu::rope_row(x.row(r).data(), x.columns / head_dim, head_dim, angles_.row(r),
                    angles_.pairs(), angles_.interleaved());
    });
  }

  void write_kv(KvCache& cache, std::int32_t layer, Activation k, Activation v,
                const RaggedBatch& batch) override {
    assert(batch.block_tokens == cache.shape.block_tokens);
    assert(k.rows == v.rows && k.columns == v.columns);
    assert(k.columns == std::int64_t{cache.shape.kv_heads} * cache.shape.head_dim);
    auto& to = static_cast<CpuKvCache&>(cache);
    for (const RaggedBatch::Sequence& sequence : batch.sequences) {
      for_rows(sequence.rows, 2 * k.columns, [&](std::int64_t i) {
        const std::int64_t position = sequence.context_tokens + i;
        const std::int64_t entry = sequence.first_block + position / batch.block_tokens;
        const std::int32_t block = batch.block_tables[static_cast<std::size_t>(entry)];
        assert(block >= 0 && block < cache.shape.blocks);
        const std::int64_t row = sequence.first_row + i;
        cpu::write_kv_row(to.layout, to.shape.kv_heads, to.unit(layer, block, 0),
                          position % batch.block_tokens, k.row(row).data(), v.row(row).data());
      });
    }
  }

  void attention(Activation out, Activation q, const KvCache& cache, std::int32_t layer,
                 const RaggedBatch& batch, const AttentionShape& shape) override {
    assert(batch.block_tokens == cache.shape.block_tokens);
    assert(q.columns == std::int64_t{shape.heads} * shape.head_dim && out.columns == q.columns);
    assert(shape.heads % shape.kv_heads == 0 && shape.kv_heads == cache.shape.kv_heads);
    assert(shape.head_dim == cache.shape.head_dim);
    attention_.run(out, q, static_cast<const CpuKvCache&>(cache), layer, batch, shape, pool_);
  }

  void silu_mul(Activation out, Activation gate, Activation up) override {
    assert(out.rows == gate.rows && out.columns == gate.columns);
    assert(up.rows == gate.rows && up.columns == gate.columns);
    for_rows(out.rows, out.columns, [&](std::int64_t r) {
      cpu::silu_mul_row(out.row(r).data(), gate.row(r).data(), up.row(r).data(), out.columns);
    });
  }

  void add(Activation x, Activation y) override {
    assert(x.rows == y.rows && x.columns == y.columns);
    for_rows(x.rows, x.columns,
             [&](std::int64_t r) { cpu::add_row(x.row(r).data(), y.row(r).data(), x.columns); });
  }

  void gather_rows(Activation out, Activation x, std::span<const std::int32_t> rows) override {
    assert(out.rows == std::ssize(rows) && out.columns == x.columns);
    for (std::int64_t i = 0; i < out.rows; ++i) {
      std::ranges::copy(x.row(rows[static_cast<std::size_t>(i)]), out.row(i).data());
    }
  }

  void read(Activation x, std::span<float> host) override {
    assert(std::ssize(host) == x.rows * x.columns);
    std::copy_n(x.f32(), host.size(), host.data());
  }

 private:
  // body(row) for all rows, shared out only where they are enough.
  template <typename Body>
  void for_rows(std::int64_t rows, std::int64_t columns, const Body& body) {
    pool_.parallel_for(rows, kShareElements / std::max<std::int64_t>(1, columns) + 1,
                       [&](std::int64_t begin, std::int64_t end, int /*worker*/) {
                         for (std::int64_t r = begin; r < end; ++r) body(r);
                       });
  }

  ThreadPool pool_;
  std::vector<HostMemory> arena_;
  cpu::MatmulRunner matmul_;
  cpu::AttentionRunner attention_;
  cpu::RopeAngles angles_;
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(int threads) {
  return std::make_unique<CpuBackend>(threads);
}

}  // namespace hangar
