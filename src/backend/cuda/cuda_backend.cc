#include "backend/cuda/cuda_backend.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <stdexcept>
#include <utility>

#include "backend/checks.h"
#include "backend/cuda/attention.h"
#include "backend/cuda/device.h"
#include "backend/cuda/draws.h"
#include "backend/cuda/elementwise.h"
#include "backend/cuda/expert_choices.h"
#include "backend/cuda/expert_sets.h"
#include "backend/cuda/kv_cache.h"
#include "backend/cuda/layer_stacks.h"
#include "backend/cuda/matmul.h"
#include "backend/cuda/model_weights.h"
#include "backend/cuda/rope.h"
#include "backend/cuda/rope_tables.h"
#include "backend/cuda/step_graphs.h"
#include "backend/cuda/step_inputs.h"
#include "backend/cuda/step_times.h"
#include "backend/cuda/transfer.h"
#include "base/paths.h"

namespace hangar {
namespace cuda {
namespace {

// Numbers of rows that products are measured at.
constexpr std::array<std::int64_t, 20> kTunedRows = {
    1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096, 8192};

std::filesystem::path choices_path() {
  return cache_folder() / "cuda" / "matmul_choices";
}

const CudaWeight& as_cuda(const Weight& weight) {
  return static_cast<const CudaWeight&>(weight);
}

std::vector<const CudaWeight*> as_cuda(std::span<const Weight* const> weights) {
  std::vector<const CudaWeight*> all;
  for (const Weight* weight : weights) all.push_back(&as_cuda(*weight));
  return all;
}

bool decodes(const RaggedBatch& batch) {
  return std::ranges::all_of(batch.sequences, [](const auto& s) { return s.rows == 1; }) &&
         std::ssize(batch.logit_rows) == batch.rows() && batch.rows() <= StepInputs::kFixedRows;
}

class CudaBackend final : public Backend {
 public:
  CudaBackend(std::unique_ptr<Device> device, const BackendOptions& options)
      : device_(std::move(device)),
        work_type_(options.work_type),
        inputs_(*device_),
        matmul_(must_take(kMatmulWorkspaceBytes), kMatmulWorkspaceBytes,
                options.deterministic ? Fp8Sums::kExact : options.quant.fp8_sums),
        graphs_(device_->stream()),
        times_(device_->stream()),
        weights_(*device_, options),
        expert_sets_(*device_, beside_weights(), work_type_),
        expert_choices_(*device_),
        layer_stacks_(*device_, beside_weights(), rope_tables_, options.stack_layers) {
    matmul_.load_choices(choices_path());
  }
  ~CudaBackend() override { (void)cudaStreamSynchronize(device_->stream()); }

  std::string_view name() const override { return "cuda"; }
  std::string description() const override { return "cuda: " + device_->description(); }
  std::optional<BackendMemory> memory() const override {
    return BackendMemory{device_->memory_bytes(), device_->left_bytes()};
  }
  std::size_t weight_bytes(const TensorView& view) const override {
    return weights_.choice().bytes(view);
  }
  std::size_t input_bytes(const TensorView& view, std::int64_t rows) const override {
    const bool fp8 = is_few_bits(weights_.choice().form(view)) ||
                     (view.name == "token_embd.weight" && head_bytes(view) > 0);
    return fp8 ? input_room_bytes(rows, view.columns()) : 0;
  }
  std::size_t head_bytes(const TensorView& table) const override {
    return weights_.head_bytes(table);
  }
  std::size_t copy_bytes(const TensorView& view) const override {
    return weights_.copy_bytes(view);
  }
  bool wants_copies(std::uint64_t bytes, std::uint64_t left) const override {
    return weights_.choice().wants_copies(bytes, left);
  }
  void keep_copies() override { weights_.keep_copies(); }
  // Many at once is what throughput wants; their logits take a quarter of a gigabyte.
  StepSizes usual_step_sizes() const override {
    constexpr std::uint64_t kLarge = std::uint64_t{48} << 30U;
    return {.rows = 8192, .sequences = device_->memory_bytes() >= kLarge ? 512 : 256};
  }

  Result<WeightPtr> load_weight(const TensorView& view, InputPrecision /*16 bits*/) override {
    HANGAR_TRY(CudaWeightPtr weight, weights_.load(view));
    return WeightPtr(std::move(weight));
  }
  Result<WeightPtr> random_weight(const TensorView& view, const RandomWeights& how,
                                  InputPrecision /*16 bits*/) override {
    HANGAR_TRY(CudaWeightPtr weight, weights_.make(view, how));
    return WeightPtr(std::move(weight));
  }
  Result<WeightPtr> make_head(const Weight& table) override {
    HANGAR_TRY(CudaWeightPtr weight, weights_.make_head(as_cuda(table)));
    return WeightPtr(std::move(weight));
  }

  Result<Activation> allocate(std::int64_t rows, std::int64_t columns,
                              ActivationPrecision precision) override {
    HANGAR_CHECK_OK(activation_bytes(rows, columns));
    const bool work = precision == ActivationPrecision::kWork;
    const Activation made{nullptr, rows, columns, work ? work_type_ : DType::kF32};
    HANGAR_TRY(const Activation x, take(made));
    most_rows_ = std::max(most_rows_, rows);
    if (precision == ActivationPrecision::kLogits) {
      HANGAR_CHECK_OK(make_input_room());
      HANGAR_CHECK_OK(weights_.take_copies());
      HANGAR_TRY(draws_, Draws::make(*device_, columns, rows));
      most_logit_rows_ = static_cast<std::int32_t>(rows);
    }
    return x;
  }

  Result<std::vector<Activation>> allocate_together(
      std::int64_t rows, std::span<const std::int64_t> columns) override {
    std::int64_t all = 0;
    for (const std::int64_t count : columns) all += count;
    HANGAR_CHECK_OK(activation_bytes(rows, all));
    HANGAR_TRY(const Activation whole, take({nullptr, rows, all, work_type_}));
    std::vector<Activation> parts;
    auto* at = static_cast<std::uint16_t*>(whole.data);
    for (const std::int64_t count : columns) {
      parts.push_back({at, rows, count, work_type_, all});
      at += count;
    }
    return parts;
  }

  void run_step(const RaggedBatch& batch, bool repeatable,
                FunctionRef<void(const RaggedBatch&)> body) override {
    (void)launch();
    times_.begin();
    if (!repeatable || !decodes(batch) || batch.rows() == 0) {
      batch_ = inputs_.upload(batch, StepKind::kAny);
      body(batch);
      inputs_.end_step();
      return;
    }
    padded_ = batch;
    const StepGraphs::Size size = StepGraphs::pad(padded_, most_logit_rows_, spare_block_);
    batch_ = inputs_.upload(padded_, graphs_.has(size) ? StepKind::kGraph : StepKind::kFixed);
    batch_.plan_max_tokens = size.second;
    graphs_.run(size, [&] { body(padded_); });
    inputs_.end_step();
  }

  void tune(KvCache& cache) override {
    const auto& own = static_cast<const CudaKvCache&>(cache);
    device_->synchronize();
    const int made = matmul_.tune(launch(), kTunedRows, {own.layer(0).keys, own.memory_bytes});
    if (made == 0) return;
    spdlog::debug("measured {} products", made);
    if (const Status saved = matmul_.save_choices(choices_path()); !saved) {
      spdlog::warn("what was measured is not kept: {}", saved.error().message);
    }
  }

  KvType default_kv_type() const override {
    return work_type_ == DType::kF16 ? KvType::kF16 : KvType::kBF16;
  }
  std::size_t kv_block_bytes(const KvShape& shape) const override {
    return cuda::kv_block_bytes(shape);
  }
  std::int32_t kv_blocks_that_fit(const KvShape& shape) const override {
    constexpr std::uint64_t kBorders = std::uint64_t{1} << 20U;
    const std::uint64_t beside =
        attention_scratch_bytes(device_->launch(), shape.head_dim) + kBorders;
    const std::uint64_t left = device_->left_bytes();
    return kv_blocks_in(left - std::min(left, beside), shape);
  }
  Result<KvCachePtr> make_kv_cache(const KvShape& shape) override {
    HANGAR_CHECK_OK(check_kv_shape(shape));
    HANGAR_CHECK_OK(check_kv_type(shape.type));
    HANGAR_TRY(attention_memory_,
               device_->take_for(attention_scratch_bytes(launch(), shape.head_dim),
                                 "attention's scratch"));
    HANGAR_TRY(void* const memory, device_->take_for(kv_cache_bytes(shape), "the KV cache"));
    auto cache = std::make_unique<CudaKvCache>(shape, memory);
    spare_block_ = cache->spare_block();
    return KvCachePtr(std::move(cache));
  }

  void embed(Activation out, const Weight& table, std::span<const std::int32_t> ids) override {
    const CudaWeight& weight = as_cuda(table);
    const Activation rows{weight.data, weight.rows, weight.columns, weight.dtype};
    cuda::embed(launch(), out, rows, inputs_.ints(ids), draws_ ? draws_->tokens() : nullptr);
  }
  void rms_norm(Activation out, Activation x, const Weight& weight, float eps) override {
    cuda::rms_norm(launch(), out, x, as_cuda(weight).vector(), eps);
  }
  void head_norm(Activation x, std::int32_t head_dim, const Weight& weight, float eps) override {
    cuda::head_norm(launch(), x, head_dim, as_cuda(weight).vector(), eps);
  }
  void matmul(std::span<const Activation> ys, Activation x,
              std::span<const Weight* const> weights) override {
    matmul_.matmul(launch(), ys, x, as_cuda(weights));
  }
  void norm_matmul(std::span<const Activation> ys, Activation x, const InputNorm& norm,
                   std::span<const Weight* const> weights, Activation scratch) override {
    matmul_.norm_matmul(launch(), ys, x, as_cuda(*norm.weight).vector(), norm.eps, as_cuda(weights),
                        scratch);
  }
  void matmul_add(Activation x, Activation y, const Weight& weight,
                  Activation /*scratch*/) override {
    matmul_.matmul_add(launch(), x, y, as_cuda(weight));
  }
  void gate_matmul_add(Activation x, Activation gate, Activation up, GateFunction f,
                       const Weight& weight, Activation /*scratch*/) override {
    matmul_.gate_matmul_add(launch(), x, gate, up, f, as_cuda(weight));
  }
  void gated_mlp_add(Activation x, const InputNorm& norm, const MlpWeights& weights, GateFunction f,
                     const MlpScratch& scratch) override {
    matmul_.gated_mlp_add(launch(), x, as_cuda(*norm.weight).vector(), norm.eps,
                          as_cuda(*weights.gate), as_cuda(*weights.up), as_cuda(*weights.down), f,
                          scratch);
  }
  void rope_write_kv(Activation q, Activation k, Activation v, const RopeTable& table,
                     KvCache& cache, std::int32_t layer, const RaggedBatch& batch) override {
    cuda::rope_write_kv(launch(), q, k, v, rope_tables_.of(table), layer_of(cache, layer),
                        on_card(batch));
    kv_written_ = true;
  }
  void add_bias(Activation y, const Weight& bias) override {
    cuda::add_bias(launch(), y, as_cuda(bias).vector());
  }
  void rope(Activation x, std::int32_t head_dim, std::span<const std::int32_t> positions,
            const RopeTable& table) override {
    cuda::rope(launch(), x, head_dim, inputs_.ints(positions), rope_tables_.of(table));
  }
  void write_kv(KvCache& cache, std::int32_t layer, Activation k, Activation v,
                const RaggedBatch& batch) override {
    cuda::write_kv(launch(), k, v, layer_of(cache, layer), on_card(batch));
    kv_written_ = true;
  }
  void copy_kv_blocks(KvCache& cache, std::span<const BlockCopy> copies) override {
    if (copies.empty()) return;
    const void* list = inputs_.bytes(std::as_bytes(copies));
    cuda::copy_kv_blocks(launch(), static_cast<const CudaKvCache&>(cache),
                         static_cast<const BlockCopy*>(list), copy_waves(copies));
  }
  void attention(Activation out, Activation q, const KvCache& cache, std::int32_t layer,
                 const RaggedBatch& batch, const AttentionShape& shape) override {
    const AttentionScratch scratch{attention_memory_, kv_written_, {}};
    cuda::attention(launch(), out, q, layer_of(cache, layer), on_card(batch), shape, scratch);
  }
  void attention_add(Activation x, Activation out, Activation q, const KvCache& cache,
                     std::int32_t layer, const RaggedBatch& batch, const AttentionShape& shape,
                     const Weight& weight, Activation /*scratch*/) override {
    AttentionScratch scratch{attention_memory_, kv_written_, {}};
    const Launch& on = launch();
    const DeviceBatch& there = on_card(batch);
    const KvLayer kv = layer_of(cache, layer);
    const CudaWeight& product = as_cuda(weight);
    if (attention_gives_few(on, out, q, kv, there, shape)) {
      scratch.few = matmul_.few_target(on, out, product);
    }
    cuda::attention(on, out, q, kv, there, shape, scratch);
    if (scratch.few.data != nullptr)
      return matmul_.matmul_add_few(on, x, out, scratch.few, product);
    matmul_.matmul_add(on, x, out, product);
  }
  void gate_mul(Activation out, Activation gate, Activation up, GateFunction f) override {
    cuda::gate_mul(launch(), out, gate, up, f);
  }
  void scale(Activation x, float factor) override { cuda::scale(launch(), x, factor); }
  void softcap(Activation x, float cap) override { cuda::softcap(launch(), x, cap); }
  void add(Activation x, Activation y) override { cuda::add(launch(), x, y); }
  void gather_rows(Activation out, Activation x, std::span<const std::int32_t> rows) override {
    cuda::gather_rows(launch(), out, x, inputs_.ints(rows));
  }
  void scatter_add_rows(Activation x, Activation y, std::span<const std::int32_t> rows,
                        std::span<const float> weights) override {
    const std::int32_t* places = inputs_.ints(rows);
    const void* factors = inputs_.bytes(std::as_bytes(weights));
    cuda::scatter_add_rows(launch(), x, y, places, static_cast<const float*>(factors));
  }
  void top_experts(Activation scores, std::int32_t k, bool normalize, std::span<std::int32_t> ids,
                   std::span<float> weights) override {
    expert_choices_.choose(launch(), scores, k, normalize, ids, weights);
  }

  Result<std::unique_ptr<const ExpertSet>> join_experts(std::span<const ExpertWeights> experts,
                                                        std::int32_t used) override {
    return expert_sets_.join(experts, used);
  }
  std::int64_t most_mixed_rows() const override { return ExpertSets::kRows; }
  void mix_experts(Activation x, Activation normed, Activation scores, const ExpertSet& experts,
                   bool normalize, GateFunction f) override {
    cuda::mix_experts(launch(), x, normed, scores,
                      static_cast<const CudaExpertSet&>(experts).mixture, normalize, f,
                      expert_sets_.room());
  }

  Result<std::unique_ptr<const LayerStack>> join_layers(
      std::span<const StackedLayer> layers) override {
    return layer_stacks_.join(layers);
  }
  bool run_layers(Activation x, const LayerStack& stack, KvCache& cache,
                  const RaggedBatch& batch) override {
    return layer_stacks_.run(launch(), x, stack, static_cast<const CudaKvCache&>(cache), batch,
                             on_card(batch));
  }

  void sample(Activation logits, std::span<const SampleRow> rows, std::span<Sampled> out) override {
    assert_sample_rows(logits, rows, out);
    start_sample(logits, rows);
    finish_sample(out);
  }
  bool runs_ahead() const override { return true; }
  void start_sample(Activation logits, std::span<const SampleRow> rows) override {
    (void)launch();
    if (!draws_ || !draws_->serves(logits)) {  // logits that were not allocated as such
      auto made = Draws::make(*device_, logits.columns, logits.rows);
      if (!made) throw std::runtime_error(made.error().message);
      draws_ = std::move(*made);
    }
    draws_->start(logits, rows);
    times_.end();
  }
  void finish_sample(std::span<Sampled> out) override {
    draws_->finish(out);
    step_device_us_ = times_.finish();
  }
  std::optional<std::int64_t> step_device_us() override { return step_device_us_; }

  void write(Activation x, std::span<const float> host) override {
    (void)launch();
    write_activation(*device_, x, host);
  }
  void read(Activation x, std::span<float> host) override {
    (void)launch();
    read_activation(*device_, x, host);
  }

 private:
  // For every operation: weights that are still on their way are waited for first.
  const Launch& launch() {
    weights_.finish();
    kv_written_ = false;
    return device_->launch();
  }

  TakeMemory beside_weights() {
    return [this](std::size_t bytes, std::size_t alignment) {
      return weights_.take(bytes, alignment);
    };
  }
  void* must_take(std::size_t bytes) {
    void* memory = device_->take(bytes);
    if (memory == nullptr) throw CudaError(cudaErrorMemoryAllocation, "taking the workspace");
    return memory;
  }
  Result<Activation> take(Activation x) {
    const std::size_t element = x.dtype == DType::kF32 ? 4 : 2;
    HANGAR_TRY(x.data, device_->take_for(static_cast<std::size_t>(x.rows * x.columns) * element,
                                         "activations"));
    return x;
  }
  // Weights are loaded, and the largest step is known: logits are what is allocated last.
  Status make_input_room() {
    const std::int64_t widest = weights_.widest_input();
    if (widest == 0) return {};
    HANGAR_TRY(void* const room,
               device_->take_for(input_room_bytes(most_rows_, widest), "inputs in FP8"));
    matmul_.set_input_room(room, most_rows_, widest);
    return {};
  }

  KvLayer layer_of(const KvCache& cache, std::int32_t layer) const {
    return static_cast<const CudaKvCache&>(cache).layer(layer);
  }
  // The step's batch is there; one that an operation is given outside of a step is brought.
  const DeviceBatch& on_card(const RaggedBatch& batch) {
    if (!inputs_.holds(batch)) {
      batch_ = inputs_.upload(batch, StepKind::kAny);
      inputs_.end_step();
    }
    return batch_;
  }

  std::unique_ptr<Device> device_;
  DType work_type_;
  StepInputs inputs_;
  Matmul matmul_;
  StepGraphs graphs_;
  StepTimes times_;
  std::int64_t step_device_us_ = 0;
  ModelWeights weights_;
  RopeTables rope_tables_{*device_, weights_};
  ExpertSets expert_sets_;
  ExpertChoices expert_choices_;
  LayerStacks layer_stacks_;
  bool kv_written_ = false;  // by the operation before
  void* attention_memory_ = nullptr;
  std::int32_t spare_block_ = 0;
  std::int32_t most_logit_rows_ = 0;
  std::int64_t most_rows_ = 0;  // of an activation
  std::unique_ptr<Draws> draws_;
  RaggedBatch padded_;
  DeviceBatch batch_;
};

}  // namespace
}  // namespace cuda

Result<std::unique_ptr<Backend>> make_cuda_backend(const BackendOptions& options) {
  cuda::DeviceOptions device_options;
  device_options.index = options.device;
  device_options.memory_share = options.device_memory_share;
  device_options.memory_bytes = options.device_memory_bytes;
  device_options.deterministic = options.deterministic;
  HANGAR_TRY(std::unique_ptr<cuda::Device> device, cuda::Device::open(device_options));
  HANGAR_CHECK_OK(cuda::check_quant(options.quant, device->launch().hopper, device->description()));
  try {
    return std::make_unique<cuda::CudaBackend>(std::move(device), options);
  } catch (const std::exception& error) {
    return make_error(ErrorCode::kUnsupported, "the card cannot be used: {}", error.what());
  }
}

}  // namespace hangar
