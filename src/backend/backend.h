// Backend: the operations a model is made of, on one device.
//
// Promise: the same operation on two backends differs by rounding only; backend/ref says what right
//   means, in float32. Outputs never alias inputs unless an operation says so ("in place").
// Shapes: activations are {rows, columns}; a row is one token of the step's RaggedBatch. A Weight
//   is {out_features, in_features} and matmul computes y = x W^T.
// Errors: load_weight, make_kv_cache and allocate fail with Result (out of memory, a form this
//   backend does not run). Operations have no error: their shapes are checked by assert in debug
//   and sanitizer builds, and by whoever builds the model in release.
// Threads: one thread (the step thread) calls operations; a backend uses its own threads inside.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/sampling.h"
#include "base/block_copy.h"
#include "base/function_ref.h"
#include "base/result.h"
#include "tensor/activation.h"
#include "tensor/gate_function.h"
#include "tensor/kv_type.h"
#include "tensor/ragged_batch.h"
#include "tensor/random_weights.h"
#include "tensor/tensor_view.h"

namespace hangar {

// A weight matrix in whatever form the backend computes with. Made once, then read-only.
class Weight {
 public:
  virtual ~Weight() = default;
  std::int64_t rows = 0;         // out_features
  std::int64_t columns = 0;      // in_features
  std::size_t memory_bytes = 0;  // memory of its own; 0 where it reads the mapped file in place
  std::string form;              // "int4 groups of 32", "f32": for logs and `hangar models`
};
using WeightPtr = std::unique_ptr<const Weight>;

// How finely a product keeps its inputs, where a backend quantizes them on the way in. kFine is for
// weights that are a small part of the work and whose inputs' rounding shows most in the answers.
enum class InputPrecision : std::uint8_t {
  kFast,  // 8 bits
  kFine,  // twice that
};

// How finely a backend that computes in fewer than 32 bits keeps an activation. kFull (float32) is
// for the residual stream, whose rounding adds up over the layers, and for scores; kLogits is the
// same for what sample() reads.
enum class ActivationPrecision : std::uint8_t { kWork, kFull, kLogits };

// An RMS norm on the way into a product: out = x / sqrt(mean(x^2) + eps) * weight.
struct InputNorm {
  const Weight* weight = nullptr;  // {1, columns}
  float eps = 0.0F;
};

// A gated MLP's matrices, and memory for what lies between: normed {rows, hidden}, gate and up
// {rows, inner}, product as x.
struct MlpWeights {
  const Weight* gate = nullptr;
  const Weight* up = nullptr;
  const Weight* down = nullptr;
};
struct MlpScratch {
  Activation normed, gate, up, product;
};

struct KvShape {
  std::int32_t layers = 0;
  std::int32_t blocks = 0;
  std::int32_t block_tokens = 16;
  std::int32_t kv_heads = 0;
  std::int32_t head_dim = 0;
  KvType type = KvType::kF16;
};

// Keys and values of every layer, in blocks. Contents are undefined until written.
class KvCache {
 public:
  virtual ~KvCache() = default;
  KvShape shape;
  std::size_t memory_bytes = 0;
};
using KvCachePtr = std::unique_ptr<KvCache>;

// Rotary embedding, resolved to what a kernel needs: for each pair i of rope_dim / 2 pairs the
// angle of position p is p * inverse_frequency[i]; cos and sin are multiplied by magnitude (YaRN).
struct RopeTable {
  std::vector<float> inverse_frequency;  // [rope_dim / 2]
  float magnitude = 1.0F;
  // true: pair i is elements (2i, 2i + 1), as GGUF's llama; false: (i, i + rope_dim / 2), as HF.
  bool interleaved = true;

  bool operator==(const RopeTable&) const = default;
};

struct AttentionShape {
  std::int32_t heads = 0;
  std::int32_t kv_heads = 0;
  std::int32_t head_dim = 0;
  float scale = 0.0F;       // multiplies q.k before the softmax
  float softcap = 0.0F;     // > 0: scores become softcap * tanh(score / softcap), after the scale
  std::int32_t window = 0;  // > 0: position p attends to positions above p - window only
};

// One expert of a mixture.
struct ExpertWeights {
  const Weight* gate = nullptr;  // {inner, hidden}
  const Weight* up = nullptr;
  const Weight* down = nullptr;  // {hidden, inner}
};
// A mixture's experts as a backend that chooses among them by itself has them.
class ExpertSet {
 public:
  ExpertSet() = default;
  virtual ~ExpertSet() = default;
  ExpertSet(const ExpertSet&) = delete;
  ExpertSet& operator=(const ExpertSet&) = delete;
};

// A decoder layer that is nothing but these: x += out(attention(rotate(q(n), k(n)), v(n))), then
// the gated MLP, with n = norm(x) before each; heads of q and k are normed before they are rotated,
// where there are weights for that.
struct StackedLayer {
  InputNorm attention_norm;
  const Weight* q = nullptr;
  const Weight* k = nullptr;
  const Weight* v = nullptr;
  const Weight* out = nullptr;
  const Weight* q_norm = nullptr;  // {1, head_dim}, with attention_norm's eps
  const Weight* k_norm = nullptr;
  AttentionShape attention;
  const RopeTable* rope = nullptr;
  InputNorm mlp_norm;
  MlpWeights mlp;
  GateFunction gate = GateFunction::kSilu;
};
// All layers of a model, as a backend that computes them in one has them.
class LayerStack {
 public:
  LayerStack() = default;
  virtual ~LayerStack() = default;
  LayerStack(const LayerStack&) = delete;
  LayerStack& operator=(const LayerStack&) = delete;
};

struct BackendMemory {
  std::uint64_t total_bytes = 0;
  std::uint64_t left_bytes = 0;
};

struct StepSizes {
  std::int32_t rows = 256;
  std::int32_t sequences = 64;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  // One line for logs: instruction set, threads, device.
  virtual std::string description() const = 0;
  // From here on operations add to *sum_ns what the calling thread spends waking the backend's own
  // threads and waiting for them; nullptr, as at first: nothing is measured. Without threads of its
  // own a backend adds nothing.
  virtual void clock_waits(std::int64_t* /*sum_ns*/) {}
  // The memory that weights, scratch and keys and values share, where it is the backend's own (a
  // card's); none: it is the system's.
  virtual std::optional<BackendMemory> memory() const { return std::nullopt; }
  // What load_weight of this view will take of it, by arithmetic; the view may be without data.
  virtual std::size_t weight_bytes(const TensorView& /*view*/) const { return 0; }
  // What a copy of it for steps of many rows takes beside that; 0: none is made.
  virtual std::size_t copy_bytes(const TensorView& /*view*/) const { return 0; }
  // Whether copies of so many bytes in all are worth it, where without them so many are left
  // (weights and scratch taken off).
  virtual bool wants_copies(std::uint64_t /*copy_bytes*/, std::uint64_t /*left_bytes*/) const {
    return false;
  }
  // Before the first weight is loaded: those loaded from now on get their copies.
  virtual void keep_copies() {}
  // What products with this weight take for an input of so many rows, beside the activations.
  virtual std::size_t input_bytes(const TensorView& /*view*/, std::int64_t /*rows*/) const {
    return 0;
  }
  // Rows of a step and sequences at once that suit it, where nobody asks.
  virtual StepSizes usual_step_sizes() const { return {}; }

  // Takes a weight from a file. `view` stays valid as long as the Weight lives (the file is
  // mapped).
  virtual Result<WeightPtr> load_weight(const TensorView& view, InputPrecision precision) = 0;
  // The same from what was prepared (BackendOptions::prepared); nullptr: it is not there. `view`
  // may be without data, as Checkpoint::tensors() lists those that a format makes only when read.
  virtual WeightPtr take_prepared(const TensorView& /*view*/, InputPrecision /*precision*/) {
    return nullptr;
  }
  // A weight that is made (--load dummy): `view` has no data; its numbers follow from its name, its
  // place and `how` (backend/random_weight.h). The default makes them on the host and loads them.
  virtual Result<WeightPtr> random_weight(const TensorView& view, const RandomWeights& how,
                                          InputPrecision precision);
  // Of a model whose head is its embedding's table: a weight made of `table` for the head's
  // products, where the backend keeps the two in different numbers; nullptr: the table serves.
  // Called after all loads. head_bytes: what it will take of memory(), by arithmetic.
  virtual Result<WeightPtr> make_head(const Weight& /*table*/) { return WeightPtr{}; }
  virtual std::size_t head_bytes(const TensorView& /*table*/) const { return 0; }
  // Zero-filled memory of the backend's, for scratch; lives as long as the backend.
  virtual Result<Activation> allocate(std::int64_t rows, std::int64_t columns,
                                      ActivationPrecision precision) = 0;
  Result<Activation> allocate(std::int64_t rows, std::int64_t columns) {
    return allocate(rows, columns, ActivationPrecision::kWork);
  }
  // Several of the same rows, for products that share their input (q, k, v; gate, up): a backend
  // may lay them out as columns of one matrix.
  virtual Result<std::vector<Activation>> allocate_together(std::int64_t rows,
                                                            std::span<const std::int64_t> columns);
  // Computes a step: `body` issues its operations, over the batch that it is given: `batch`,
  // perhaps with sequences of one row behind it that nobody asked for. A backend that has recorded
  // a step of this size may replay it instead of calling `body`. `repeatable`: a step's operations
  // depend on nothing but the batch's contents and its size. Operations may be called outside too.
  virtual void run_step(const RaggedBatch& batch, bool repeatable,
                        FunctionRef<void(const RaggedBatch&)> body);
  // After a first step: the backend may measure which of its ways are fastest for the products it
  // has computed so far. Takes seconds at most; what is in the cache is lost.
  virtual void tune(KvCache& /*cache*/) {}
  // How this backend keeps keys and values where nobody asks; make_kv_cache refuses
  // (kUnsupported) what it does not run.
  virtual KvType default_kv_type() const = 0;
  virtual Result<KvCachePtr> make_kv_cache(const KvShape& shape) = 0;
  // How many blocks of this shape (its own number is not read) memory() still holds.
  virtual std::int32_t kv_blocks_that_fit(const KvShape& /*shape*/) const {
    return std::numeric_limits<std::int32_t>::max();
  }
  // Bytes that make_kv_cache would take for one block.
  virtual std::size_t kv_block_bytes(const KvShape& shape) const = 0;

  // out[r] = table row ids[r]. 0 <= ids[r] < table.rows.
  virtual void embed(Activation out, const Weight& table, std::span<const std::int32_t> ids) = 0;
  // out[r] = x[r] / sqrt(mean(x[r]^2) + eps) * weight; weight is {1, columns}. In place allowed.
  virtual void rms_norm(Activation out, Activation x, const Weight& weight, float eps) = 0;
  // An RMS norm over each head of x {rows, heads * head_dim}, in place; weight is {1, head_dim}.
  virtual void head_norm(Activation x, std::int32_t head_dim, const Weight& weight, float eps);
  // y = x W^T for several weights that read the same x (q, k, v; gate, up): one pass over x.
  virtual void matmul(std::span<const Activation> ys, Activation x,
                      std::span<const Weight* const> weights) = 0;
  // The fused operations: what the plain ones give one after the other, up to rounding, which is
  // what a backend does that has nothing better. `scratch` is as large as the value between, and
  // undefined afterwards.
  // ys[i] = norm(x) weights[i]^T; scratch as x.
  virtual void norm_matmul(std::span<const Activation> ys, Activation x, const InputNorm& norm,
                           std::span<const Weight* const> weights, Activation scratch);
  // x += y weight^T; scratch as x.
  virtual void matmul_add(Activation x, Activation y, const Weight& weight, Activation scratch);
  // x += attention(...) weight^T; out {rows, heads * head_dim} is scratch too.
  virtual void attention_add(Activation x, Activation out, Activation q, const KvCache& cache,
                             std::int32_t layer, const RaggedBatch& batch,
                             const AttentionShape& shape, const Weight& weight, Activation scratch);
  // x += (f(gate) * up) weight^T; scratch as x. gate is changed.
  virtual void gate_matmul_add(Activation x, Activation gate, Activation up, GateFunction f,
                               const Weight& weight, Activation scratch);
  // x += (f(n Wgate^T) * (n Wup^T)) Wdown^T, n = norm(x).
  virtual void gated_mlp_add(Activation x, const InputNorm& norm, const MlpWeights& weights,
                             GateFunction f, const MlpScratch& scratch);
  // q and k rotated in place by the batch's positions, then k and v written to the cache.
  virtual void rope_write_kv(Activation q, Activation k, Activation v, const RopeTable& table,
                             KvCache& cache, std::int32_t layer, const RaggedBatch& batch);
  // y[r] += bias; bias is {1, columns}.
  virtual void add_bias(Activation y, const Weight& bias) = 0;
  // Rotates the first rope_dim elements of each head of x {rows, heads * head_dim} in place.
  virtual void rope(Activation x, std::int32_t head_dim, std::span<const std::int32_t> positions,
                    const RopeTable& table) = 0;
  // Stores k, v {rows, kv_heads * head_dim} of `layer` where the batch's block tables say.
  virtual void write_kv(KvCache& cache, std::int32_t layer, Activation k, Activation v,
                        const RaggedBatch& batch) = 0;
  // One after the other: a block that one copy has read may be written by a later one.
  virtual void copy_kv_blocks(KvCache& cache, std::span<const BlockCopy> copies) = 0;
  // out, q {rows, heads * head_dim}: causal softmax(q k^T * scale) v over the cache's blocks. Head
  // h reads KV head h / (heads / kv_heads).
  virtual void attention(Activation out, Activation q, const KvCache& cache, std::int32_t layer,
                         const RaggedBatch& batch, const AttentionShape& shape) = 0;
  // out = f(gate) * up. In place allowed.
  virtual void gate_mul(Activation out, Activation gate, Activation up, GateFunction f) = 0;
  // x *= factor.
  virtual void scale(Activation x, float factor) = 0;
  // x = cap * tanh(x / cap).
  virtual void softcap(Activation x, float cap) = 0;
  // x += y.
  virtual void add(Activation x, Activation y) = 0;
  // out[i] = x[rows[i]].
  virtual void gather_rows(Activation out, Activation x, std::span<const std::int32_t> rows) = 0;
  // x[rows[i]] += weights[i] * y[i]. The same row may come more than once; they are added in order.
  virtual void scatter_add_rows(Activation x, Activation y, std::span<const std::int32_t> rows,
                                std::span<const float> weights) = 0;
  // Mixture of experts: for each row of `scores` {rows, experts} the k experts of the highest score
  // (of equal ones the lower index first), best first, and their softmax weights over all experts;
  // with `normalize` the k weights sum to 1. ids and weights: [rows * k], on the host.
  virtual void top_experts(Activation scores, std::int32_t k, bool normalize,
                           std::span<std::int32_t> ids, std::span<float> weights) = 0;
  // Mixtures without the host: for a layer's experts, when they are loaded, of which each row takes
  // `used`, what mix_experts() takes them by, in steps of at most most_mixed_rows() rows; nullptr:
  // not these, or not this backend.
  virtual Result<std::unique_ptr<const ExpertSet>> join_experts(
      std::span<const ExpertWeights> /*experts*/, std::int32_t /*used*/) {
    return std::unique_ptr<const ExpertSet>();
  }
  virtual std::int64_t most_mixed_rows() const { return 0; }
  // x += the sum over a row's experts, as top_experts() chooses them by `scores` and in the order
  // of their indices, of weight * down(f(gate(normed)) * up(normed)).
  virtual void mix_experts(Activation x, Activation normed, Activation scores,
                           const ExpertSet& experts, bool normalize, GateFunction f);
  // Layers as one: what run_layers() takes all of a model's by, when they are loaded; nullptr: not
  // these, or not this backend.
  virtual Result<std::unique_ptr<const LayerStack>> join_layers(
      std::span<const StackedLayer> /*layers*/) {
    return std::unique_ptr<const LayerStack>();
  }
  // x through all of them. False: not a step of such a batch; nothing has happened then.
  virtual bool run_layers(Activation /*x*/, const LayerStack& /*stack*/, KvCache& /*cache*/,
                          const RaggedBatch& /*batch*/) {
    return false;
  }
  // out[i] is what rows[i] asks for. `logits` is scratch: it may be changed. Two rows may name the
  // same row of logits.
  virtual void sample(Activation logits, std::span<const SampleRow> rows,
                      std::span<Sampled> out) = 0;
  // Whether a step may be issued before the results of the one before are known: operations then
  // only queue work, and start_sample and finish_sample stand for sample. At most two steps are
  // under way.
  virtual bool runs_ahead() const { return false; }
  virtual void start_sample(Activation logits, std::span<const SampleRow> rows);
  // Waits for the oldest start_sample that has not been finished; out as its rows.
  virtual void finish_sample(std::span<Sampled> out);
  // How long the device computed on the step last finished; nullopt: the backend cannot tell, or
  // its operations are themselves the computing.
  virtual std::optional<std::int64_t> step_device_us() { return std::nullopt; }
  // x from host's floats, row-major, rounded to x's type.
  virtual void write(Activation x, std::span<const float> host) = 0;
  // Host copy of x's floats, row-major; waits for the device.
  virtual void read(Activation x, std::span<float> host) = 0;
};

}  // namespace hangar
