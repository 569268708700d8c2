#include "plan/step_bounds.h"

#include <algorithm>
#include <cmath>

namespace hangar {
namespace {

constexpr double kBitsPerByte = 8.0;

double real(std::int64_t n) {
  return static_cast<double>(std::max<std::int64_t>(0, n));
}

double head_elements(const ModelConfig& config) {
  return real(config.vocabulary) * real(config.hidden);
}

double attention_elements(const ModelConfig& config) {
  const double q = real(config.heads) * real(config.head_dim);
  const double kv = real(config.kv_heads) * real(config.head_dim);
  return real(config.hidden) * (2.0 * q + 2.0 * kv);
}

double gated_elements(const ModelConfig& config, std::int32_t inner) {
  return 3.0 * real(config.hidden) * real(inner);
}

// Mixtral's experts are what its config calls the feed-forward.
std::int32_t expert_inner(const ModelConfig& config) {
  return config.expert_feed_forward > 0 ? config.expert_feed_forward : config.feed_forward;
}

struct LayerElements {
  double computed = 0.0;  // that a row is multiplied with
  double read = 0.0;      // of a step of so many rows
};

LayerElements layer_elements(const ModelConfig& config, std::int32_t layer, double rows) {
  const double attention = attention_elements(config);
  if (!config.layer_has_experts(layer)) {
    const double mlp = gated_elements(config, config.feed_forward);
    return {attention + mlp, attention + mlp};
  }
  const double router = real(config.experts) * real(config.hidden);
  const double one = gated_elements(config, expert_inner(config));
  const double used = real(config.experts_used);
  const double all = std::max(1.0, real(config.experts));
  // The share of the experts that no row has picked.
  const double untouched = std::pow(1.0 - std::min(1.0, used / all), rows);
  return {attention + router + used * one, attention + router + all * (1.0 - untouched) * one};
}

LayerElements all_layers(const ModelConfig& config, double rows) {
  LayerElements sum;
  for (std::int32_t layer = 0; layer < config.layers; ++layer) {
    const LayerElements one = layer_elements(config, layer, rows);
    sum.computed += one.computed;
    sum.read += one.read;
  }
  return sum;
}

// Of tokens that a row attends to, those that a layer with a window looks at.
std::int64_t seen(const ModelConfig& config, std::int32_t layer, std::int64_t tokens) {
  return config.layer_slides(layer) ? std::min<std::int64_t>(config.sliding_window, tokens)
                                    : tokens;
}

// Rows at positions [first, first + rows) of one sequence: sums over all layers.
struct Attended {
  double pairs = 0.0;   // of a row and a token it looks at
  double tokens = 0.0;  // whose keys and values are read: by rows of one step once, else each
};

Attended attended(const ModelConfig& config, std::int64_t first, std::int64_t rows, bool one_step) {
  Attended sum;
  for (std::int32_t layer = 0; layer < config.layers; ++layer) {
    double pairs = 0.0;
    for (std::int64_t row = 0; row < rows; ++row)
      pairs += real(seen(config, layer, first + row + 1));
    const std::int64_t reach = seen(config, layer, first + 1) + rows - 1;
    sum.pairs += pairs;
    sum.tokens += one_step ? real(std::min(reach, first + rows)) : pairs;
  }
  return sum;
}

double kv_layer_bytes(const ModelConfig& config, const StoredSizes& sizes) {
  return sizes.kv_token_bytes / std::max(1.0, real(config.layers));
}

double attention_operations(const ModelConfig& config, double pairs) {
  return 4.0 * real(config.heads) * real(config.head_dim) * pairs;
}

}  // namespace

StepWork& StepWork::operator+=(const StepWork& other) {
  weight_bytes += other.weight_bytes;
  kv_bytes += other.kv_bytes;
  operations += other.operations;
  return *this;
}

StepWork prefill_work(const ModelConfig& config, const StoredSizes& sizes, const LoadShape& load) {
  const double rows = real(load.requests) * real(load.input_tokens);
  const double step_rows = std::min(rows, std::max(1.0, real(load.step_tokens)));
  const double steps = step_rows > 0.0 ? std::ceil(rows / step_rows) : 0.0;
  const LayerElements layers = all_layers(config, step_rows);
  const Attended one = attended(config, 0, load.input_tokens, true);
  StepWork work;
  work.weight_bytes =
      steps * (layers.read + head_elements(config)) * sizes.weight_bits / kBitsPerByte;
  work.kv_bytes = real(load.requests) * one.tokens * kv_layer_bytes(config, sizes);
  work.operations = 2.0 * (rows * layers.computed + real(load.requests) * head_elements(config)) +
                    real(load.requests) * attention_operations(config, one.pairs);
  return work;
}

StepWork decode_work(const ModelConfig& config, const StoredSizes& sizes, const LoadShape& load) {
  const std::int64_t each = std::max<std::int64_t>(0, load.output_tokens - 1);
  const double rows = real(load.requests) * real(each);
  const double step_rows = std::max(1.0, std::min(real(load.running), real(load.requests)));
  const LayerElements layers = all_layers(config, step_rows);
  const Attended one = attended(config, load.input_tokens, each, false);
  StepWork work;
  work.weight_bytes = std::ceil(rows / step_rows) * (layers.read + head_elements(config)) *
                      sizes.weight_bits / kBitsPerByte;
  work.kv_bytes = real(load.requests) * one.tokens * kv_layer_bytes(config, sizes);
  work.operations = 2.0 * rows * (layers.computed + head_elements(config)) +
                    real(load.requests) * attention_operations(config, one.pairs);
  return work;
}

double least_seconds(const StepWork& work, const MachineRates& rates) {
  double seconds = 0.0;
  if (rates.bytes_per_s > 0.0) seconds = work.bytes() / rates.bytes_per_s;
  if (rates.operations_per_s > 0.0) {
    seconds = std::max(seconds, work.operations / rates.operations_per_s);
  }
  return seconds;
}

double active_elements(const ModelConfig& config) {
  return all_layers(config, 1.0).computed + head_elements(config);
}

}  // namespace hangar
