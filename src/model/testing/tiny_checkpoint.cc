#include "model/testing/tiny_checkpoint.h"

#include <algorithm>
#include <span>

namespace hangar::testing {

TinyCheckpoint::TinyCheckpoint(const TinyOptions& o) : state_(o.seed) {
  config_.architecture = "llama";
  config_.name = "tiny";
  config_.layers = o.layers;
  config_.hidden = o.hidden;
  config_.feed_forward = o.feed_forward;
  config_.heads = o.heads;
  config_.kv_heads = o.kv_heads;
  config_.head_dim = o.hidden / o.heads;
  config_.vocabulary = o.vocabulary;
  config_.context_tokens = o.context_tokens;
  config_.tied_embeddings = o.tied;
  config_.rope.dim = config_.head_dim;

  const std::int64_t kv = std::int64_t{o.kv_heads} * config_.head_dim;
  add("token_embd.weight", o.vocabulary, o.hidden, 1.0F, 0.0F);
  add("output_norm.weight", 1, o.hidden, 0.1F, 1.0F);
  if (!o.tied) add("output.weight", o.vocabulary, o.hidden, 0.5F, 0.0F);
  for (std::int32_t i = 0; i < o.layers; ++i) {
    const std::string p = "blk." + std::to_string(i) + ".";
    add(p + "attn_norm.weight", 1, o.hidden, 0.1F, 1.0F);
    add(p + "attn_q.weight", o.hidden, o.hidden, 0.4F, 0.0F);
    add(p + "attn_k.weight", kv, o.hidden, 0.4F, 0.0F);
    add(p + "attn_v.weight", kv, o.hidden, 0.4F, 0.0F);
    add(p + "attn_output.weight", o.hidden, o.hidden, 0.4F, 0.0F);
    if (o.biases) {
      add(p + "attn_q.bias", 1, o.hidden, 0.5F, 0.0F);
      add(p + "attn_k.bias", 1, kv, 0.5F, 0.0F);
      add(p + "attn_v.bias", 1, kv, 0.5F, 0.0F);
    }
    add(p + "ffn_norm.weight", 1, o.hidden, 0.1F, 1.0F);
    add(p + "ffn_gate.weight", o.feed_forward, o.hidden, 0.4F, 0.0F);
    add(p + "ffn_up.weight", o.feed_forward, o.hidden, 0.4F, 0.0F);
    add(p + "ffn_down.weight", o.hidden, o.feed_forward, 0.3F, 0.0F);
  }
}

void TinyCheckpoint::add(std::string name, std::int64_t rows, std::int64_t columns, float spread,
                         float mean) {
  std::vector<float> values(static_cast<std::size_t>(rows * columns));
  for (float& value : values) {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    const float uniform = static_cast<float>(state_ >> 40) * 0x1p-24F;  // [0, 1)
    value = mean + spread * (2.0F * uniform - 1.0F);
  }
  std::vector<std::int64_t> shape{columns};
  if (rows != 1) shape.insert(shape.begin(), rows);
  put(std::move(name), std::move(shape), std::move(values));
}

void TinyCheckpoint::put(std::string name, std::vector<std::int64_t> shape,
                         std::vector<float> values) {
  const auto& stored = storage_.emplace_back(name, std::move(values)).second;
  TensorView& view = tensors_.emplace_back();
  view.name = std::move(name);
  view.shape = std::move(shape);
  view.data = std::as_bytes(std::span(stored));
}

void TinyCheckpoint::remove(std::string_view name) {
  std::erase_if(tensors_, [&](const TensorView& t) { return t.name == name; });
}

std::vector<float>* TinyCheckpoint::values(std::string_view name) {
  for (auto& [stored, values] : storage_) {
    if (stored == name) return &values;
  }
  return nullptr;
}

void TinyCheckpoint::clear(std::string_view name) {
  for (float& value : *values(name)) value = 0.0F;
}

void TinyCheckpoint::reshape(std::string_view name, const std::vector<std::int64_t>& shape) {
  for (TensorView& tensor : tensors_) {
    if (tensor.name == name) tensor.shape = shape;
  }
}

const TensorView* TinyCheckpoint::find(std::string_view name) const {
  for (const TensorView& tensor : tensors_) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

}  // namespace hangar::testing
