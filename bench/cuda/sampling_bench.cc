// From rows of logits to tokens, for the vocabulary of Llama 3.
//
// The bound is the logits read once. They are like a model's (a few tokens far ahead of a wide
// bell), or for "flat" a narrow bell, which is the worst that top_p can meet. One row's logits may
// lie in the L2 cache, as they do in a step, behind the product that made them.
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "backend/cuda/sampling.h"
#include "backend/cuda/sampling_kernels.h"
#include "bench_support.h"

namespace hangar::cuda::bench {
namespace {

constexpr std::int32_t kVocabulary = 128256;
constexpr std::int32_t kRowCounts[] = {1, 64, 256};
constexpr int kAhead = 30;

struct Kind {
  const char* name;
  SampleRow row;
  bool flat = false;
  bool adjusts = false;
};
const Kind kKinds[] = {
    {"greedy", {.temperature = 0.0F}},
    {"temperature", {.temperature = 0.8F}},
    {"top_k_40", {.top_k = 40}},
    {"top_p_95", {.top_p = 0.95F}},
    {"top_p_95_flat", {.top_p = 0.95F}, true},
    {"top_k_40_top_p_95", {.top_p = 0.95F, .top_k = 40}},
    {"min_p_05", {.min_p = 0.05F}},
    {"greedy_logprobs_5", {.logprobs = 5, .temperature = 0.0F}},
    {"penalties_1000_seen",
     {.temperature = 0.8F, .repetition_penalty = 1.1F, .presence_penalty = 0.2F},
     false,
     true},
};

// Some tokens of each row far ahead.
void put_ahead(const Activation& logits) {
  for (int i = 0; i < kAhead; ++i) {
    const std::vector<float> column(static_cast<std::size_t>(logits.rows),
                                    24.0F - 0.4F * static_cast<float>(i));
    HANGAR_CUDA(cudaMemcpy2D(logits.f32() + i * 1531 % kVocabulary,
                             static_cast<std::size_t>(kVocabulary) * sizeof(float), column.data(),
                             sizeof(float), sizeof(float), column.size(), cudaMemcpyHostToDevice));
  }
}

class SamplingBench {
 public:
  explicit SamplingBench(Bench& bench) : bench_(bench) {
    SamplerLimits limits;
    limits.vocabulary = kVocabulary;
    limits.rows = *std::ranges::max_element(kRowCounts);
    limits.step_rows = limits.rows;
    DeviceOptions options;
    options.memory_bytes = Sampler::device_bytes(limits) + (1U << 20U);
    auto device = Device::open(options);
    if (!device) throw std::runtime_error(device.error().message);
    device_ = std::move(*device);
    auto sampler = Sampler::make(*device_, limits);
    if (!sampler) throw std::runtime_error(sampler.error().message);
    sampler_ = std::move(*sampler);
    for (std::int32_t t = 0; t < 1000; ++t) {
      seen_.push_back(t * 127);
      if (t % 2 == 0) counts_.push_back({t * 127, 1 + t % 3});
    }
  }

  void run(std::int32_t count, bool flat) {
    if (std::ranges::none_of(kKinds, [&](const Kind& kind) {
          return kind.flat == flat && bench_.wants("sampling", kind.name);
        })) {
      return;
    }
    CardMemory memory;
    const auto bytes = static_cast<std::size_t>(count) * kVocabulary * sizeof(float);
    const std::vector<Activation> logits = memory.activations(
        bench_.cold_copies(bytes), count, kVocabulary, DType::kF32, flat ? 1.0F : 2.5F);
    if (!flat) std::ranges::for_each(logits, put_ahead);
    for (const Kind& kind : kKinds) {
      if (kind.flat == flat && bench_.wants("sampling", kind.name)) run(kind, count, logits);
    }
  }

 private:
  void run(const Kind& kind, std::int32_t count, const std::vector<Activation>& logits) {
    std::vector<SampleRow> rows(static_cast<std::size_t>(count), kind.row);
    for (std::int32_t r = 0; r < count; ++r) {
      SampleRow& row = rows[static_cast<std::size_t>(r)];
      row.row = r;
      row.uniform = (r + 0.5) / count;
      if (kind.adjusts) {
        row.seen = seen_;
        row.counts = counts_;
      }
    }
    if (sampler_->plan(rows) != count) throw std::runtime_error("a round has room for fewer rows");
    sampler_->upload();
    HANGAR_CUDA(cudaStreamSynchronize(device_->stream()));
    Case c{.group = "sampling",
           .name = kind.name,
           .shape = fmt::format("{} tokens, {} rows", kVocabulary, count),
           .work = {}};
    c.work.read_bytes = static_cast<double>(count) * kVocabulary * sizeof(float);
    const SamplerArrays& arrays = sampler_->arrays();
    const bool greedy = sampler_->greedy();
    bench_.measure(c, logits.size(), [&](const Launch& launch, std::size_t turn) {
      if (greedy) {
        pick_greedy(launch, arrays, logits[turn], count);
      } else {
        scan_rows(launch, arrays, logits[turn], count);
        pick_tokens(launch, arrays, logits[turn], count);
      }
    });
  }

  Bench& bench_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<Sampler> sampler_;
  std::vector<std::int32_t> seen_;
  std::vector<TokenCount> counts_;
};

}  // namespace

void sampling_benchmarks(Bench& bench) {
  if (std::ranges::none_of(kKinds,
                           [&](const Kind& kind) { return bench.wants("sampling", kind.name); })) {
    return;
  }
  SamplingBench sampling(bench);
  for (const std::int32_t rows : kRowCounts) {
    if (bench.options().quick && rows == 64) continue;
    for (const bool flat : {false, true}) sampling.run(rows, flat);
  }
}

}  // namespace hangar::cuda::bench
