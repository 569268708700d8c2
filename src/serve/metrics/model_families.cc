#include "serve/metrics/model_families.h"

#include <array>
#include <string>
#include <string_view>

namespace hangar {
namespace {

constexpr double kMicros = 1e6;

struct Sources {
  const EngineInfo& info;
  const EngineStats& stats;
  const ModelMetrics& metrics;
};

enum class Kind : std::uint8_t { kCounter, kGauge };

struct Scalar {
  std::string_view name;
  std::array<std::string_view, 2> vllm;  // its names; "": none
  Kind kind;
  std::string_view help;
  double (*value)(const Sources& from);
};

double ratio(double part, double whole) {
  return whole > 0 ? part / whole : 0.0;
}

template <auto Member>
double stat(const Sources& from) {
  return static_cast<double>(from.stats.*Member);
}
template <auto Member>
double stat_seconds(const Sources& from) {
  return static_cast<double>(from.stats.*Member) / kMicros;
}
template <auto Member>
double fact(const Sources& from) {
  return static_cast<double>(from.info.*Member);
}
template <auto Member>
double seen(const Sources& from) {
  return static_cast<double>((from.metrics.*Member).load(std::memory_order_relaxed));
}

double kv_usage(const Sources& from) {
  return ratio(from.stats.kv_blocks_used, from.stats.kv_blocks_total);
}
double acceptance(const Sources& from) {
  return ratio(static_cast<double>(from.stats.accepted_tokens),
               static_cast<double>(from.stats.drafted_tokens));
}

constexpr std::array kScalars{
    Scalar{"hangar_requests_running",
           {"vllm:num_requests_running"},
           Kind::kGauge,
           "Sequences (choices of requests) in the running batch.",
           &stat<&EngineStats::running>},
    Scalar{"hangar_requests_waiting",
           {"vllm:num_requests_waiting"},
           Kind::kGauge,
           "Sequences that wait for their turn.",
           &stat<&EngineStats::waiting>},
    Scalar{"hangar_max_running",
           {},
           Kind::kGauge,
           "Sequences that may run at once.",
           &fact<&EngineInfo::max_running>},
    Scalar{"hangar_max_waiting",
           {},
           Kind::kGauge,
           "Sequences that may wait; past it requests are refused.",
           &fact<&EngineInfo::max_waiting>},
    Scalar{"hangar_kv_usage_ratio",
           {"vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"},
           Kind::kGauge,
           "Share of the KV blocks that sequences hold, 0 to 1.",
           &kv_usage},
    Scalar{"hangar_kv_bytes",
           {},
           Kind::kGauge,
           "Memory set aside for keys and values.",
           &fact<&EngineInfo::kv_bytes>},
    Scalar{"hangar_weight_bytes",
           {},
           Kind::kGauge,
           "Memory of the model's weights.",
           &fact<&EngineInfo::weight_bytes>},
    Scalar{"hangar_prefix_cache_queried_tokens_total",
           {"vllm:prefix_cache_queries_total"},
           Kind::kCounter,
           "Prompt tokens that were looked for in the prefix cache.",
           &stat<&EngineStats::looked_up_tokens>},
    Scalar{"hangar_prefix_cache_hit_tokens_total",
           {"vllm:prefix_cache_hits_total", "vllm:prompt_tokens_cached_total"},
           Kind::kCounter,
           "Prompt tokens that were found in the prefix cache.",
           &stat<&EngineStats::cached_tokens>},
    Scalar{"hangar_prompt_tokens_total",
           {"vllm:prompt_tokens_total"},
           Kind::kCounter,
           "Prompt tokens of requests that began, computed or from the prefix cache.",
           &seen<&ModelMetrics::prompt_tokens>},
    Scalar{"hangar_prompt_tokens_computed_total",
           {},
           Kind::kCounter,
           "Prompt tokens computed; those of preempted sequences again.",
           &stat<&EngineStats::prompt_tokens>},
    Scalar{"hangar_generation_tokens_total",
           {"vllm:generation_tokens_total"},
           Kind::kCounter,
           "Tokens generated.",
           &stat<&EngineStats::generated_tokens>},
    Scalar{"hangar_steps_total",
           {},
           Kind::kCounter,
           "Steps of the model.",
           &stat<&EngineStats::steps>},
    Scalar{"hangar_step_rows_total",
           {},
           Kind::kCounter,
           "Rows (tokens) computed in all steps, guesses too.",
           &stat<&EngineStats::rows>},
    Scalar{"hangar_step_busy_seconds_total",
           {},
           Kind::kCounter,
           "Time spent in steps.",
           &stat_seconds<&EngineStats::busy_us>},
    Scalar{"hangar_step_rows",
           {},
           Kind::kGauge,
           "Rows of the last step.",
           &stat<&EngineStats::step_rows>},
    Scalar{"hangar_step_sequences",
           {},
           Kind::kGauge,
           "Batch size: sequences of the last step.",
           &stat<&EngineStats::step_sequences>},
    Scalar{"hangar_step_waited_seconds",
           {},
           Kind::kGauge,
           "How long work has been there without a step ending; 0 is as it should be.",
           &stat_seconds<&EngineStats::waited_for_us>},
    Scalar{"hangar_preemptions_total",
           {"vllm:num_preemptions_total"},
           Kind::kCounter,
           "Running sequences put back to wait since the KV blocks were used up.",
           &stat<&EngineStats::preemptions>},
    Scalar{"hangar_queue_rejections_total",
           {},
           Kind::kCounter,
           "Requests refused since the queue was full (429).",
           &stat<&EngineStats::refused>},
    Scalar{"hangar_expired_total",
           {},
           Kind::kCounter,
           "Requests whose time ran out (408, 504), waiting or running.",
           &stat<&EngineStats::expired>},
    Scalar{"hangar_slow_readers_total",
           {},
           Kind::kCounter,
           "Streams cut off since their client did not read.",
           &seen<&ModelMetrics::slow_readers>},
    Scalar{"hangar_speculative_drafted_tokens_total",
           {"vllm:spec_decode_num_draft_tokens_total"},
           Kind::kCounter,
           "Tokens guessed by prompt lookup.",
           &stat<&EngineStats::drafted_tokens>},
    Scalar{"hangar_speculative_accepted_tokens_total",
           {"vllm:spec_decode_num_accepted_tokens_total"},
           Kind::kCounter,
           "Guessed tokens that were right.",
           &stat<&EngineStats::accepted_tokens>},
    Scalar{"hangar_speculative_acceptance_ratio",
           {},
           Kind::kGauge,
           "Accepted of the guessed tokens since start, 0 to 1.",
           &acceptance},
};

struct Timing {
  std::string_view name;
  std::array<std::string_view, 2> vllm;
  std::string_view help;
  MetricHistogram ModelMetrics::* histogram;
  double unit;
};

constexpr std::array kHistograms{
    Timing{"hangar_time_to_first_token_seconds",
           {"vllm:time_to_first_token_seconds"},
           "From a request's submission to its first token.",
           &ModelMetrics::time_to_first_token_us,
           kMicros},
    Timing{"hangar_inter_token_seconds",
           {"vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds"},
           "Between two tokens of a choice.",
           &ModelMetrics::inter_token_us,
           kMicros},
    Timing{"hangar_token_mean_seconds",
           {"vllm:request_time_per_output_token_seconds"},
           "A choice's mean time between tokens.",
           &ModelMetrics::token_mean_us,
           kMicros},
    Timing{"hangar_request_seconds",
           {"vllm:e2e_request_latency_seconds"},
           "From a request's submission to its end, where it was answered.",
           &ModelMetrics::request_us,
           kMicros},
    Timing{"hangar_queue_seconds",
           {"vllm:request_queue_time_seconds"},
           "From a request's submission to its first planned step.",
           &ModelMetrics::queue_us,
           kMicros},
    Timing{"hangar_prefill_seconds",
           {"vllm:request_prefill_time_seconds"},
           "From a request's first planned step to its first token.",
           &ModelMetrics::prefill_us,
           kMicros},
    Timing{"hangar_decode_seconds",
           {"vllm:request_decode_time_seconds"},
           "From a request's first token to its last.",
           &ModelMetrics::decode_us,
           kMicros},
    Timing{"hangar_inference_seconds",
           {"vllm:request_inference_time_seconds"},
           "From a request's first planned step to its last token.",
           &ModelMetrics::inference_us,
           kMicros},
    Timing{"hangar_request_prompt_tokens",
           {"vllm:request_prompt_tokens"},
           "Prompt tokens of a request.",
           &ModelMetrics::request_prompt_tokens,
           1.0},
    Timing{"hangar_request_generation_tokens",
           {"vllm:request_generation_tokens"},
           "Tokens generated for a request, all choices together.",
           &ModelMetrics::request_generation_tokens,
           1.0},
    Timing{"hangar_request_max_tokens",
           {"vllm:request_params_max_tokens"},
           "The most tokens that a request allowed.",
           &ModelMetrics::request_max_tokens,
           1.0},
    Timing{"hangar_request_choices",
           {"vllm:request_params_n"},
           "Choices of a request (n or best_of).",
           &ModelMetrics::request_choices,
           1.0},
};

FamilyList::Labels with(FamilyList::Labels labels, std::string name, std::string value) {
  labels.push_back({std::move(name), std::move(value)});
  return labels;
}

void add_ends(const ModelMetrics& metrics, const FamilyList::Labels& labels,
              const FamilyList::Labels& vllm, FamilyList& families) {
  for (std::size_t i = 0; i < kFinishReasons; ++i) {
    const std::string reason(finish_label(static_cast<FinishReason>(i)));
    const auto ended = static_cast<double>(metrics.choices_ended[i].load());
    families.counter("hangar_request_success_total", "Choices that ended, by reason.",
                     with(labels, "finished_reason", reason), ended);
    families.counter("vllm:request_success_total", "As hangar_request_success_total.",
                     with(vllm, "finished_reason", reason), ended);
  }
  constexpr std::array<std::pair<FinishReason, std::string_view>, 4> kOutcomes{{
      {FinishReason::kStop, "answered"},
      {FinishReason::kCancelled, "cancelled"},
      {FinishReason::kFailed, "failed"},
      {FinishReason::kExpired, "expired"},
  }};
  for (const auto& [reason, outcome] : kOutcomes) {
    families.counter(
        "hangar_requests_total", "Requests that ended, by outcome.",
        with(labels, "outcome", std::string(outcome)),
        static_cast<double>(metrics.requests_ended[static_cast<std::size_t>(reason)].load()));
  }
}

void add_blocks(const EngineStats& stats, const FamilyList::Labels& labels, FamilyList& families) {
  const std::int32_t free = stats.kv_blocks_total - stats.kv_blocks_used - stats.kv_blocks_kept;
  const std::array<std::pair<std::string_view, std::int32_t>, 3> states{
      {{"held", stats.kv_blocks_used}, {"kept", stats.kv_blocks_kept}, {"free", free}}};
  for (const auto& [state, blocks] : states) {
    families.gauge("hangar_kv_blocks",
                   "KV blocks that sequences hold, that are kept as prefixes, that are free.",
                   with(labels, "state", std::string(state)), blocks);
  }
}

// Facts as labels; the value is always 1.
void add_info(const EngineInfo& info, const FamilyList::Labels& labels,
              const FamilyList::Labels& vllm, FamilyList& families) {
  FamilyList::Labels facts = labels;
  facts.push_back({"model", info.model});
  facts.push_back({"backend", info.backend});
  facts.push_back({"batching", info.batching});
  facts.push_back({"kv_type", info.kv_type});
  facts.push_back({"context_tokens", std::to_string(info.context_tokens)});
  families.gauge("hangar_engine_info", "What runs, and how.", facts, 1);
  FamilyList::Labels cache = vllm;
  cache.push_back({"block_size", std::to_string(info.block_tokens)});
  cache.push_back({"cache_dtype", info.kv_type});
  cache.push_back({"num_gpu_blocks", std::to_string(info.kv_blocks)});
  families.gauge("vllm:cache_config_info", "Size of the KV cache, as vLLM tells it.", cache, 1);
}

}  // namespace

void add_model_families(const ServedModel& model, FamilyList& families) {
  const EngineInfo& info = model.engine().info();
  const EngineStats stats = model.engine().stats();
  const ModelMetrics& metrics = model.metrics();
  const Sources from{info, stats, metrics};
  const FamilyList::Labels labels{{"model_name", model.id()}};
  const FamilyList::Labels vllm{{"engine", "0"}, {"model_name", model.id()}};

  for (const Scalar& scalar : kScalars) {
    const double value = scalar.value(from);
    const auto add = [&](std::string_view name, const FamilyList::Labels& its_labels) {
      if (scalar.kind == Kind::kCounter) {
        families.counter(name, scalar.help, its_labels, value);
      } else {
        families.gauge(name, scalar.help, its_labels, value);
      }
    };
    add(scalar.name, labels);
    for (const std::string_view name : scalar.vllm) {
      if (!name.empty()) add(name, vllm);
    }
  }
  add_blocks(stats, labels, families);
  add_ends(metrics, labels, vllm, families);
  for (const Timing& timing : kHistograms) {
    const MetricHistogram::Snapshot snapshot = (metrics.*timing.histogram).snapshot();
    families.histogram(timing.name, timing.help, labels, snapshot, timing.unit);
    for (const std::string_view name : timing.vllm) {
      if (!name.empty()) families.histogram(name, timing.help, vllm, snapshot, timing.unit);
    }
  }
  add_info(info, labels, vllm, families);
}

}  // namespace hangar
