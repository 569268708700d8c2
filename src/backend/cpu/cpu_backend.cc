#include "backend/cpu/cpu_backend.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstring>
#include <limits>

#include "backend/checks.h"
#include "backend/cpu/attention_runner.h"
#include "backend/cpu/cpu_weight.h"
#include "backend/cpu/elementwise.h"
#include "backend/cpu/experts.h"
#include "backend/cpu/instruction_set.h"
#include "backend/cpu/kv_cache.h"
#include "backend/cpu/matmul_runner.h"
#include "backend/cpu/rope.h"
#include "backend/cpu/sample_runner.h"

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
    if (view.dtype == DType::kF8E4M3 && !said_rounding_.exchange(true)) {
      spdlog::info("the CPU computes with F8_E4M3 weights as BF16, rounded with their scales");
    }
    return WeightPtr(std::move(weight));
  }

  Result<Activation> allocate(std::int64_t rows, std::int64_t columns) override {
    HANGAR_TRY(const std::size_t bytes, activation_bytes(rows, columns));
    HANGAR_TRY(HostMemory memory, HostMemory::allocate(bytes, "activations"));
    HANGAR_CHECK_OK(matmul_.reserve(rows, columns));
    arena_.push_back(std::move(memory));
    return Activation{arena_.back().data(), rows, columns, DType::kF32};
  }

  KvType default_kv_type() const override { return KvType::kF16; }

  Result<KvCachePtr> make_kv_cache(const KvShape& shape) override {
    HANGAR_CHECK_OK(check_kv_shape(shape));
    HANGAR_CHECK_OK(cpu::check_kv_type(shape.type));
    auto cache = std::make_unique<CpuKvCache>(shape);
    cache->memory_bytes = kv_block_bytes(shape) * static_cast<std::size_t>(shape.blocks);
    HANGAR_TRY(cache->memory, HostMemory::allocate(cache->memory_bytes, "the KV cache"));
    return KvCachePtr(std::move(cache));
  }

  std::size_t kv_block_bytes(const KvShape& shape) const override {
    if (!check_kv_shape(shape) || !cpu::check_kv_type(shape.type)) {
      return std::numeric_limits<std::size_t>::max();
    }
    return static_cast<std::size_t>(cpu::KvLayout(shape).block_bytes * shape.layers);
  }

  void embed(Activation out, const Weight& table, std::span<const std::int32_t> ids) override {
    assert(out.rows == std::ssize(ids) && out.columns == table.columns);
    for_rows(out.rows, out.columns, [&](std::int64_t r) {
      const std::int32_t id = ids[static_cast<std::size_t>(r)];
      assert(id >= 0 && id < table.rows);
      as_cpu(table).read_row(id, out.row(r).data());
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

  void copy_kv_blocks(KvCache& cache, std::span<const BlockCopy> copies) override {
    const auto& in = static_cast<const CpuKvCache&>(cache);
    const auto bytes = static_cast<std::size_t>(in.layout.block_bytes);
    for ([[maybe_unused]] const BlockCopy& copy : copies) {
      assert(copy.from >= 0 && copy.from < cache.shape.blocks);
      assert(copy.to >= 0 && copy.to < cache.shape.blocks && copy.to != copy.from);
    }
    for_rows(cache.shape.layers, std::ssize(copies) * in.layout.block_bytes, [&](std::int64_t l) {
      for (const BlockCopy& copy : copies) {
        std::memcpy(in.unit(l, copy.to, 0), in.unit(l, copy.from, 0), bytes);
      }
    });
  }

  void attention(Activation out, Activation q, const KvCache& cache, std::int32_t layer,
                 const RaggedBatch& batch, const AttentionShape& shape) override {
    assert(batch.block_tokens == cache.shape.block_tokens);
    assert(q.columns == std::int64_t{shape.heads} * shape.head_dim && out.columns == q.columns);
    assert(shape.heads % shape.kv_heads == 0 && shape.kv_heads == cache.shape.kv_heads);
    assert(shape.head_dim == cache.shape.head_dim);
    attention_.run(out, q, static_cast<const CpuKvCache&>(cache), layer, batch, shape, pool_);
  }

  void gate_mul(Activation out, Activation gate, Activation up, GateFunction f) override {
    assert(out.rows == gate.rows && out.columns == gate.columns);
    assert(up.rows == gate.rows && up.columns == gate.columns);
    for_rows(out.rows, out.columns, [&](std::int64_t r) {
      cpu::gate_mul_row(out.row(r).data(), gate.row(r).data(), up.row(r).data(), out.columns, f);
    });
  }

  void scale(Activation x, float factor) override {
    for_rows(x.rows, x.columns,
             [&](std::int64_t r) { cpu::scale_row(x.row(r).data(), factor, x.columns); });
  }

  void softcap(Activation x, float cap) override {
    assert(cap > 0.0F);
    for_rows(x.rows, x.columns,
             [&](std::int64_t r) { cpu::softcap_row(x.row(r).data(), cap, x.columns); });
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

  void scatter_add_rows(Activation x, Activation y, std::span<const std::int32_t> rows,
                        std::span<const float> weights) override {
    assert(y.rows == std::ssize(rows) && weights.size() == rows.size() && x.columns == y.columns);
    assert(std::ranges::all_of(rows, [&](std::int32_t r) { return r >= 0 && r < x.rows; }));
    // Shared out by columns: a row that comes more than once is added to in order.
    pool_.parallel_for(x.columns, kShareElements / std::max<std::int64_t>(1, y.rows) + 1,
                       [&](std::int64_t begin, std::int64_t end, int /*worker*/) {
                         for (std::int64_t i = 0; i < y.rows; ++i) {
                           const auto at = static_cast<std::size_t>(i);
                           cpu::add_scaled_row(x.row(rows[at]).data() + begin,
                                               y.row(i).data() + begin, weights[at], end - begin);
                         }
                       });
  }

  void top_experts(Activation scores, std::int32_t k, bool normalize, std::span<std::int32_t> ids,
                   std::span<float> weights) override {
    assert(k > 0 && k <= scores.columns);
    assert(std::ssize(ids) == scores.rows * k && weights.size() == ids.size());
    for_rows(scores.rows, scores.columns, [&](std::int64_t r) {
      const auto at = static_cast<std::size_t>(r * k);
      cpu::top_experts_row(scores.row(r), normalize, ids.subspan(at, static_cast<std::size_t>(k)),
                           weights.subspan(at, static_cast<std::size_t>(k)));
    });
  }

  void sample(Activation logits, std::span<const SampleRow> rows, std::span<Sampled> out) override {
    assert_sample_rows(logits, rows, out);
    sampler_.run(logits, rows, out, pool_);
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
  std::atomic<bool> said_rounding_ = false;
  std::vector<HostMemory> arena_;
  cpu::MatmulRunner matmul_;
  cpu::AttentionRunner attention_;
  cpu::RopeAngles angles_;
  cpu::SampleRunner sampler_;
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(int threads) {
  return std::make_unique<CpuBackend>(threads);
}

}  // namespace hangar
