// All layers in one kernel against the same layers operation by operation.
#include "backend/cuda/layer_stacks.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/device_arch.h"
#include "backend/cuda/testing.h"

namespace hangar::cuda {
namespace {

struct Shape {
  std::int32_t layers = 2;
  std::int32_t hidden = 4096;
  std::int32_t inner = 6144;
  std::int32_t heads = 32;
  bool interleaved = false;
  bool head_norms = false;
};

// Two models with the same weights: one computes its steps of one row as a stack.
class Layers {
 public:
  Layers(Backend& backend, const Shape& shape, std::vector<std::vector<float>> norms)
      : backend_(backend), shape_(shape), norms_(std::move(norms)) {
    const std::int64_t hidden = shape.hidden;
    const std::int64_t kv = 8 * 128;
    for (std::int32_t i = 0; i < shape.layers; ++i) {
      const std::string prefix = "blk." + std::to_string(i) + ".";
      const auto matrix = [&](const char* name, std::int64_t rows, std::int64_t columns) {
        const TensorView view{prefix + name, DType::kBF16, {rows, columns}, {}};
        weights_.push_back(
            backend_
                .random_weight(view, {.kind = RandomWeights::Kind::kNormal}, InputPrecision::kFast)
                .value());
        return weights_.back().get();
      };
      const auto norm = [&](std::size_t index, std::int64_t count) {
        const TensorView view{
            "norm.weight",
            DType::kF32,
            {count},
            std::as_bytes(std::span(norms_[index]).first(static_cast<std::size_t>(count)))};
        weights_.push_back(backend_.load_weight(view, InputPrecision::kFast).value());
        return weights_.back().get();
      };
      StackedLayer layer;
      const auto at = static_cast<std::size_t>(i);
      layer.attention_norm = {norm(2 * at, hidden), 1e-5F};
      layer.mlp_norm = {norm(2 * at + 1, hidden), 1e-5F};
      if (shape.head_norms) {  // of 128, out of those of rows
        layer.q_norm = norm(2 * at, 128);
        layer.k_norm = norm(2 * at + 1, 128);
      }
      layer.q = matrix("attn_q.weight", std::int64_t{shape.heads} * 128, hidden);
      layer.k = matrix("attn_k.weight", kv, hidden);
      layer.v = matrix("attn_v.weight", kv, hidden);
      layer.out = matrix("attn_output.weight", hidden, std::int64_t{shape.heads} * 128);
      layer.mlp = {matrix("ffn_gate.weight", shape.inner, hidden),
                   matrix("ffn_up.weight", shape.inner, hidden),
                   matrix("ffn_down.weight", hidden, shape.inner)};
      layer.attention = {.heads = shape.heads, .kv_heads = 8, .head_dim = 128, .scale = 0.088F};
      layer.rope = &rope_;
      layers_.push_back(layer);
    }
    for (int i = 0; i < 64; ++i) {
      rope_.inverse_frequency.push_back(std::pow(10000.0F, -static_cast<float>(i) / 64.0F));
    }
    rope_.interleaved = shape.interleaved;
  }

  const std::vector<StackedLayer>& all() const { return layers_; }

  void allocate(std::int64_t rows) {
    const std::int64_t q = std::int64_t{shape_.heads} * 128;
    normed_ = backend_.allocate(rows, shape_.hidden).value();
    product_ = backend_.allocate(rows, shape_.hidden).value();
    qkv_ = backend_.allocate_together(rows, std::array<std::int64_t, 3>{q, 1024, 1024}).value();
    out_ = backend_.allocate(rows, q).value();
    inner_ =
        backend_.allocate_together(rows, std::array<std::int64_t, 2>{shape_.inner, shape_.inner})
            .value();
  }

  // Keys and values of tokens before, which no product made: layer i's from value i on.
  void fill(KvCache& cache, const RaggedBatch& batch, std::span<const float> values) {
    const Activation k = qkv_[1].first_rows(batch.rows());
    const Activation v = qkv_[2].first_rows(batch.rows());
    const auto count = static_cast<std::size_t>(k.rows * k.columns);
    for (std::int32_t i = 0; i < shape_.layers; ++i) {
      const std::span of_layer = values.subspan(static_cast<std::size_t>(i));
      backend_.write(k, of_layer.first(count));
      backend_.write(v, of_layer.subspan(count, count));
      backend_.write_kv(cache, i, k, v, batch);
    }
  }

  // Operation by operation.
  void run(Activation x, KvCache& cache, const RaggedBatch& batch) {
    const auto some = [&](Activation of) { return of.first_rows(x.rows); };
    for (std::int32_t i = 0; i < shape_.layers; ++i) {
      const StackedLayer& l = layers_[static_cast<std::size_t>(i)];
      const std::array ys{some(qkv_[0]), some(qkv_[1]), some(qkv_[2])};
      backend_.norm_matmul(ys, x, l.attention_norm, std::array{l.q, l.k, l.v}, some(normed_));
      if (shape_.head_norms) {
        backend_.head_norm(ys[0], 128, *l.q_norm, l.attention_norm.eps);
        backend_.head_norm(ys[1], 128, *l.k_norm, l.attention_norm.eps);
      }
      backend_.rope_write_kv(ys[0], ys[1], ys[2], *l.rope, cache, i, batch);
      backend_.attention_add(x, some(out_), ys[0], cache, i, batch, l.attention, *l.out,
                             some(product_));
      backend_.gated_mlp_add(x, l.mlp_norm, l.mlp, l.gate,
                             {some(normed_), some(inner_[0]), some(inner_[1]), some(product_)});
    }
  }

 private:
  Backend& backend_;
  Shape shape_;
  std::vector<std::vector<float>> norms_;  // views of theirs are read later
  RopeTable rope_;
  std::vector<WeightPtr> weights_;
  std::vector<StackedLayer> layers_;
  Activation normed_, product_, out_;
  std::vector<Activation> qkv_, inner_;
};

class LayerStackTest : public CudaOpsTest {
 protected:
  void SetUp() override {
    CudaOpsTest::SetUp();
    if (IsSkipped()) return;
    cudaDeviceProp card{};
    HANGAR_CUDA(cudaGetDeviceProperties(&card, 0));
    if (card.major != 9 || !runs_hopper_code() || card.multiProcessorCount < kStackBlocks) {
      GTEST_SKIP() << "layers as one kernel want a Hopper card of 128 multiprocessors, and code "
                      "compiled for it";
    }
  }
  virtual WeightQuant matrices() const { return WeightQuant::kInt4; }
  BackendOptions options() const override {
    BackendOptions options = CudaOpsTest::options();
    options.quant.matrices = matrices();
    options.quant.copies = WeightCopies::kOff;
    options.stack_layers = true;
    return options;
  }
  std::vector<std::vector<float>> norms(const Shape& shape) {
    std::vector<std::vector<float>> all;
    for (std::int32_t i = 0; i < 2 * shape.layers; ++i) {
      all.push_back(random_floats(shape.hidden, 0.2F));
      for (float& value : all.back()) value += 1.0F;
    }
    return all;
  }
  // `rows` rows of a sequence that has so many tokens, whose blocks lie anywhere.
  static RaggedBatch rows_of(std::int32_t context, std::int32_t rows) {
    RaggedBatch batch;
    const std::int32_t blocks = (context + rows + 15) / 16;
    batch.sequences.push_back({0, rows, context, 0, blocks});
    for (std::int32_t i = 0; i < blocks; ++i) batch.block_tables.push_back(i * 37 % kBlocks);
    for (std::int32_t i = 0; i < rows; ++i) {
      batch.token_ids.push_back(0);
      batch.positions.push_back(context + i);
    }
    batch.logit_rows.push_back(rows - 1);
    return batch;
  }
  // What the layers added to x, one way and the other: how far apart, by all that was added.
  static double difference(const std::vector<float>& a, const std::vector<float>& b,
                           const std::vector<float>& before) {
    double apart = 0.0;
    double all = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      apart += std::pow(static_cast<double>(a[i]) - b[i], 2);
      all += std::pow(static_cast<double>(a[i]) - before[i], 2);
    }
    return std::sqrt(apart / all);
  }
  void expect_the_same(const Shape& shape, const std::vector<std::int32_t>& contexts);

  static constexpr std::int32_t kBlocks = 283;  // prime to what rows_of() steps by
};

INSTANTIATE_TEST_SUITE_P(WorkTypes, LayerStackTest, kWorkTypes, work_type_name);

void LayerStackTest::expect_the_same(const Shape& shape,
                                     const std::vector<std::int32_t>& contexts) {
  Layers layers(*cuda_, shape, norms(shape));
  auto stack = cuda_->join_layers(layers.all());
  ASSERT_TRUE(stack.has_value()) << stack.error().message;
  ASSERT_NE(*stack, nullptr);
  const std::int32_t most = std::ranges::max(contexts);
  layers.allocate(std::max(1, most));
  const std::int64_t hidden = shape.hidden;
  const Activation x = cuda_->allocate(1, hidden, ActivationPrecision::kFull).value();
  (void)cuda_->allocate(1, 64, ActivationPrecision::kLogits).value();
  const KvShape kv{shape.layers, kBlocks, 16, 8, 128, cuda_->default_kv_type()};
  const KvCachePtr one = cuda_->make_kv_cache(kv).value();
  const KvCachePtr other = cuda_->make_kv_cache(kv).value();
  // The plain way rounds to the work type between any two operations.
  const double bound = 4 * epsilon();
  for (const std::int32_t context : contexts) {
    if (kFewLaunches && context != 0 && context != contexts[contexts.size() / 2]) continue;
    SCOPED_TRACE(std::to_string(context) + " tokens before");
    if (context > 0) {
      const std::vector<float> values = random_floats(2 * 1024 * context + shape.layers);
      for (KvCache* cache : {one.get(), other.get()}) {
        layers.fill(*cache, rows_of(0, context), values);
      }
    }
    // The row, then the next, whose keys and values are partly the stack's own.
    for (std::int32_t step = 0; step < 2; ++step) {
      const RaggedBatch batch = rows_of(context + step, 1);
      const std::vector<float> before = random_floats(hidden);
      cuda_->write(x, before);
      layers.run(x, *one, batch);
      const std::vector<float> want = values_of(*cuda_, x);
      cuda_->write(x, before);
      ASSERT_TRUE(cuda_->run_layers(x, **stack, *other, batch));
      const std::vector<float> got = values_of(*cuda_, x);
      EXPECT_LT(difference(want, got, before), bound);
      cuda_->write(x, before);
      ASSERT_TRUE(cuda_->run_layers(x, **stack, *other, batch));
      EXPECT_EQ(values_of(*cuda_, x), got) << "not the same twice";
    }
  }
}

TEST_P(LayerStackTest, EqualsTheLayersOneByOne) {
  expect_the_same({}, {0, 1, 15, 16, 31, 100, 255, 256, 500, 513, 1100, 4500});
}

TEST_P(LayerStackTest, PairsSideBySideToo) {
  expect_the_same({.inner = 2048, .interleaved = true}, {0, 17, 300, 700});
}

TEST_P(LayerStackTest, NormsHeads) {
  expect_the_same({.inner = 2048, .head_norms = true}, {0, 40, 600});
}

TEST_P(LayerStackTest, IsRecordedAndReplayed) {
  const Shape shape{.layers = 3, .inner = 4096};
  Layers layers(*cuda_, shape, norms(shape));
  const auto stack = cuda_->join_layers(layers.all()).value();
  ASSERT_NE(stack, nullptr);
  layers.allocate(1);
  const Activation x = cuda_->allocate(1, shape.hidden, ActivationPrecision::kFull).value();
  (void)cuda_->allocate(1, 64, ActivationPrecision::kLogits).value();
  const KvCachePtr cache =
      cuda_->make_kv_cache({shape.layers, kBlocks, 16, 8, 128, cuda_->default_kv_type()}).value();
  const std::vector<float> before = random_floats(shape.hidden);
  std::vector<std::vector<float>> rounds[2];
  for (auto& results : rounds) {
    for (std::int32_t token = 0; token < (kFewLaunches ? 4 : 40); ++token) {
      cuda_->write(x, before);
      RaggedBatch batch = rows_of(token, 1);
      batch.logit_rows = {0};
      cuda_->run_step(batch, true, [&](const RaggedBatch& rows) {
        ASSERT_TRUE(cuda_->run_layers(x, *stack, *cache, rows));
      });
      results.push_back(values_of(*cuda_, x));
    }
  }
  EXPECT_EQ(rounds[0], rounds[1]);
  EXPECT_NE(rounds[0][2], rounds[0][3]);
}

TEST_P(LayerStackTest, OthersAreLeftToTheOperations) {
  Shape shape{.layers = 1, .inner = 2048};
  Layers layers(*cuda_, shape, norms(shape));
  std::vector<StackedLayer> all = layers.all();
  const auto joined = [&] { return cuda_->join_layers(all).value() != nullptr; };
  EXPECT_TRUE(joined());
  all[0].attention.window = 64;
  EXPECT_FALSE(joined());
  all = layers.all();
  all[0].attention.softcap = 30.0F;
  EXPECT_FALSE(joined());
  all = layers.all();
  all[0].gate = GateFunction::kGelu;
  EXPECT_FALSE(joined());
  all = layers.all();
  all[0].mlp.up = all[0].mlp.down;
  EXPECT_FALSE(joined());
  const Shape wide{.layers = 1, .hidden = 8192, .inner = 2048, .heads = 64};
  const Layers others(*cuda_, wide, norms(wide));
  all = others.all();
  EXPECT_FALSE(joined());

  const auto stack = cuda_->join_layers(layers.all()).value();
  const Activation x = cuda_->allocate(2, shape.hidden, ActivationPrecision::kFull).value();
  (void)cuda_->allocate(2, 64, ActivationPrecision::kLogits).value();
  KvShape kv{1, kBlocks, 16, 8, 128, KvType::kFp8};
  const KvCachePtr fp8 = cuda_->make_kv_cache(kv).value();
  EXPECT_FALSE(cuda_->run_layers(x.first_rows(1), *stack, *fp8, rows_of(3, 1)));
  kv.type = cuda_->default_kv_type();
  const KvCachePtr cache = cuda_->make_kv_cache(kv).value();
  EXPECT_FALSE(cuda_->run_layers(x, *stack, *cache, rows_of(3, 2)));
}

class LayerStackFp8Test : public LayerStackTest {
 protected:
  WeightQuant matrices() const override { return WeightQuant::kFp8; }
};

INSTANTIATE_TEST_SUITE_P(WorkTypes, LayerStackFp8Test, kWorkTypes, work_type_name);

TEST_P(LayerStackFp8Test, EqualsTheLayersOneByOne) {
  expect_the_same({}, {0, 1, 16, 100, 513, 2500});
}

TEST_P(LayerStackFp8Test, NormsHeads) {
  expect_the_same({.inner = 2048, .head_norms = true}, {0, 300});
}

class LayerStackDenseTest : public LayerStackTest {
 protected:
  WeightQuant matrices() const override { return WeightQuant::kNone; }
};

INSTANTIATE_TEST_SUITE_P(WorkTypes, LayerStackDenseTest, kWorkTypes, work_type_name);

TEST_P(LayerStackDenseTest, EqualsTheLayersOneByOne) {
  expect_the_same({}, {0, 1, 16, 100, 513, 2500});
}

TEST_P(LayerStackDenseTest, NormsHeads) {
  expect_the_same({.inner = 2048, .head_norms = true}, {0, 300});
}

}  // namespace
}  // namespace hangar::cuda
