#include "backend/cpu/cpu_backend.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
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
#include "backend/cpu/prepared_panels.h"
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
  explicit CpuBackend(const BackendOptions& options)
      : pool_(options.threads,
              options.pin_threads ? ThreadPool::Pinning::kOn : ThreadPool::Pinning::kOff),
        prepared_(options.prepared),
        prepare_into_(options.prepare_into) {}

  std::string_view name() const override { return "cpu"; }
  std::string description() const override {
    return fmt::format("cpu: {}, {} threads",
                       cpu::instruction_set_name(cpu::instruction_set_in_use()), pool_.threads());
  }
  void clock_waits(std::int64_t* sum_ns) override { pool_.clock_waits(sum_ns); }

  Result<WeightPtr> load_weight(const TensorView& view, InputPrecision precision) override {
    HANGAR_TRY(auto weight, cpu::load_cpu_weight(view, pool_));
    if (prepare_into_ != nullptr) {
      HANGAR_CHECK_OK(cpu::save_panels(prepared_id(view), *weight, *prepare_into_));
    }
    weight->fine_inputs = precision == InputPrecision::kFine;
    if (view.dtype == DType::kF8E4M3 && !said_rounding_.exchange(true)) {
      spdlog::info("the CPU computes with F8_E4M3 weights as BF16, rounded with their scales");
    }
    return WeightPtr(std::move(weight));
  }

  WeightPtr take_prepared(const TensorView& view, InputPrecision precision) override {
    if (prepared_ == nullptr) return nullptr;
    auto weight = cpu::restore_panels(view, *prepared_);
    if (weight != nullptr) weight->fine_inputs = precision == InputPrecision::kFine;
    return weight;
  }

  Result<Activation> allocate(std::int64_t rows, std::int64_t columns,
                              ActivationPrecision /*all full*/) override {
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
    // A type that is not kept has a size too: it is make_kv_cache that refuses it, by its name.
    if (!check_kv_shape(shape)) return std::numeric_limits<std::size_t>::max();
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
    matmul_.run({.ys = ys, .x = x, .weights = weights}, pool_);
  }

  void norm_matmul(std::span<const Activation> ys, Activation x, const InputNorm& norm,
                   std::span<const Weight* const> weights, Activation scratch) override {
    assert(scratch.rows == x.rows && scratch.columns == x.columns);
    assert(norm.weight->rows == 1 && norm.weight->columns == x.columns);
    const float* w = as_cpu(*norm.weight).vector();
    const auto body = [&](std::int64_t r) {
      cpu::rms_norm_row(scratch.row(r).data(), x.row(r).data(), w, x.columns, norm.eps);
    };
    const cpu::MakeRow make_row(body);
    matmul_.run({.ys = ys, .x = scratch, .weights = weights, .make_row = &make_row}, pool_);
  }

  void matmul_add(Activation x, Activation y, const Weight& weight, Activation scratch) override {
    add_product(x, y, weight, scratch, nullptr);
  }

  void gate_matmul_add(Activation x, Activation gate, Activation up, GateFunction f,
                       const Weight& weight, Activation scratch) override {
    assert(up.rows == gate.rows && up.columns == gate.columns);
    const auto body = [&](std::int64_t r) {
      float* row = gate.row(r).data();
      cpu::gate_mul_row(row, row, up.row(r).data(), gate.columns, f);
    };
    const cpu::MakeRow make_row(body);
    add_product(x, gate, weight, scratch, &make_row);
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
    write_rows(cache, layer, k, v, batch, 0, [](std::int64_t) {});
  }

  void rope_write_kv(Activation q, Activation k, Activation v, const RopeTable& table,
                     KvCache& cache, std::int32_t layer, const RaggedBatch& batch) override {
    const std::int64_t dim = cache.shape.head_dim;
    assert(q.rows == std::ssize(batch.positions) && q.rows == k.rows && q.columns % dim == 0);
    assert(2 * std::ssize(table.inverse_frequency) <= dim);
    angles_.prepare(batch.positions, table);
    const std::int64_t rotated = 2 * (q.columns + k.columns);
    write_rows(cache, layer, k, v, batch, rotated, [&](std::int64_t r) {
      for (const Activation& heads : {q, k}) {
        cpu::rope_row(heads.row(r).data(), heads.columns / dim, dim, angles_.row(r),
                      angles_.pairs(), angles_.interleaved());
      }
    });
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

  void write(Activation x, std::span<const float> host) override {
    assert(std::ssize(host) == x.rows * x.columns);
    std::ranges::copy(host, x.f32());
  }

  void read(Activation x, std::span<float> host) override {
    assert(std::ssize(host) == x.rows * x.columns);
    std::copy_n(x.f32(), host.size(), host.data());
  }

 private:
  // before(row), which is work as of so many elements, then the row's key and value to where the
  // batch's block tables say.
  template <typename Before>
  void write_rows(KvCache& cache, std::int32_t layer, Activation k, Activation v,
                  const RaggedBatch& batch, std::int64_t elements_before, const Before& before) {
    assert(batch.block_tokens == cache.shape.block_tokens);
    assert(k.rows == v.rows && k.columns == v.columns);
    assert(k.columns == std::int64_t{cache.shape.kv_heads} * cache.shape.head_dim);
    auto& to = static_cast<CpuKvCache&>(cache);
    // A key's elements lie apart: each is a store of its own.
    for_rows(k.rows, elements_before + 8 * k.columns, [&](std::int64_t row) {
      // Sequences' rows are in order and cover all.
      const auto after =
          std::ranges::upper_bound(batch.sequences, row, {}, &RaggedBatch::Sequence::first_row);
      const RaggedBatch::Sequence& sequence = *std::prev(after);
      const std::int64_t position = sequence.context_tokens + row - sequence.first_row;
      const std::int64_t entry = sequence.first_block + position / batch.block_tokens;
      const std::int32_t block = batch.block_tables[static_cast<std::size_t>(entry)];
      assert(block >= 0 && block < cache.shape.blocks);
      before(row);
      cpu::write_kv_row(to.layout, to.shape.kv_heads, to.unit(layer, block, 0),
                        position % batch.block_tokens, k.row(row).data(), v.row(row).data());
    });
  }

  // x += y weight^T.
  void add_product(Activation x, Activation y, const Weight& weight, Activation scratch,
                   const cpu::MakeRow* make_row) {
    assert(x.rows == y.rows && x.columns == weight.rows && y.columns == weight.columns);
    assert(scratch.rows == x.rows && scratch.columns == x.columns);
    const std::array weights{&weight};
    const bool direct = cpu::MatmulRunner::can_add(as_cpu(weight));
    const std::array ys{direct ? x : scratch};
    matmul_.run({.ys = ys, .x = y, .weights = weights, .make_row = make_row, .add = direct}, pool_);
    if (!direct) add(x, scratch);
  }

  // body(row) for all rows, shared out only where they are enough.
  template <typename Body>
  void for_rows(std::int64_t rows, std::int64_t columns, const Body& body) {
    pool_.parallel_for(rows, kShareElements / std::max<std::int64_t>(1, columns) + 1,
                       [&](std::int64_t begin, std::int64_t end, int /*worker*/) {
                         for (std::int64_t r = begin; r < end; ++r) body(r);
                       });
  }

  ThreadPool pool_;
  std::shared_ptr<const PreparedWeights> prepared_;
  PreparedSink* prepare_into_;
  std::atomic<bool> said_rounding_ = false;
  std::vector<HostMemory> arena_;
  cpu::MatmulRunner matmul_;
  cpu::AttentionRunner attention_;
  cpu::RopeAngles angles_;
  cpu::SampleRunner sampler_;
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(const BackendOptions& options) {
  return std::make_unique<CpuBackend>(options);
}

std::string cpu_prepared_layout() {
  return cpu::panel_layout();
}

}  // namespace hangar
