#include "cli/sampling_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace hangar {
namespace {

constexpr const char* kGroup = "Sampling";

Status check_range(std::string_view flag, double value, double least, double most) {
  // Written so that NaN fails too.
  if (value >= least && value <= most) return {};
  Error error{ErrorCode::kInvalidArgument,
              fmt::format("{}: {} is not from {} to {}", flag, value, least, most),
              std::string(flag)};
  return tl::unexpected<Error>(std::move(error));
}

bool was_given(const CLI::Option* option) {
  return option != nullptr && option->count() > 0;
}

}  // namespace

void SamplingFlags::add(CLI::App& app) {
  temperature_option_ =
      app.add_option(
             "--temperature", temperature_,
             fmt::format(
                 "0: always the likeliest token; up to 2 (default: the model's own, else {})",
                 temperature_))
          ->type_name("X")
          ->group(kGroup);
  top_p_option_ =
      app.add_option(
             "--top-p", top_p_,
             "Only the likeliest tokens that make up this much (default: the model's own, else 1)")
          ->type_name("X")
          ->group(kGroup);
  top_k_option_ =
      app.add_option(
             "--top-k", top_k_,
             "Only so many of the likeliest tokens; 0: all (default: the model's own, else 0)")
          ->type_name("N")
          ->group(kGroup);
  min_p_option_ = app.add_option("--min-p", min_p_,
                                 "Only tokens at least this likely, next to the likeliest "
                                 "(default: the model's own, else 0)")
                      ->type_name("X")
                      ->group(kGroup);
  app.add_option("--presence-penalty", presence_penalty_,
                 "Against tokens already generated, once; -2 to 2 (default: 0)")
      ->type_name("X")
      ->group(kGroup);
  app.add_option("--frequency-penalty", frequency_penalty_,
                 "Against tokens already generated, each time; -2 to 2 (default: 0)")
      ->type_name("X")
      ->group(kGroup);
  repetition_penalty_option_ =
      app.add_option(
             "--repetition-penalty", repetition_penalty_,
             "Divides what prompt and answer hold already (default: the model's own, else 1)")
          ->type_name("X")
          ->group(kGroup);
  seed_option_ =
      app.add_option("--seed", seed_, "The same seed gives the same text (default: a random one)")
          ->type_name("N")
          ->group(kGroup);
  max_tokens_option_ =
      app.add_option(
             "--max-tokens", max_tokens_,
             fmt::format("Longest answer (default: {}, or what the context leaves)", max_tokens_))
          ->type_name("N")
          ->group(kGroup);
  app.add_option("--min-tokens", min_tokens_, "Shortest answer (default: 0)")
      ->type_name("N")
      ->group(kGroup);
  app.add_flag("--ignore-eos", ignore_eos_, "Go on where the model would end")->group(kGroup);
  app.add_option("--stop", stop_, "End before this text; may be given several times")
      ->type_name("TEXT")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false)
      ->group(kGroup);
}

Status SamplingFlags::apply(Request& request, std::int32_t context_tokens,
                            const GenerationDefaults& defaults) const {
  constexpr double kMany = 1 << 24;
  HANGAR_CHECK_OK(check_range("--temperature", temperature_, 0, 2));
  HANGAR_CHECK_OK(check_range("--top-p", top_p_, 1e-6, 1));
  HANGAR_CHECK_OK(check_range("--top-k", top_k_, 0, kMany));
  HANGAR_CHECK_OK(check_range("--min-p", min_p_, 0, 1));
  HANGAR_CHECK_OK(check_range("--presence-penalty", presence_penalty_, -2, 2));
  HANGAR_CHECK_OK(check_range("--frequency-penalty", frequency_penalty_, -2, 2));
  HANGAR_CHECK_OK(check_range("--repetition-penalty", repetition_penalty_, 0.01, 100));
  HANGAR_CHECK_OK(check_range("--max-tokens", max_tokens_, 1, kMany));
  HANGAR_CHECK_OK(check_range("--min-tokens", min_tokens_, 0, max_tokens_));
  for (const std::string& stop : stop_) {
    if (stop.empty()) return make_error(ErrorCode::kInvalidArgument, "--stop: is empty");
  }
  SamplingParams& sampling = request.sampling;
  sampling.temperature = static_cast<float>(temperature_);
  sampling.top_p = static_cast<float>(top_p_);
  sampling.top_k = top_k_;
  sampling.min_p = static_cast<float>(min_p_);
  sampling.presence_penalty = static_cast<float>(presence_penalty_);
  sampling.frequency_penalty = static_cast<float>(frequency_penalty_);
  sampling.repetition_penalty = static_cast<float>(repetition_penalty_);
  apply_generation_defaults(defaults,
                            {.temperature = was_given(temperature_option_),
                             .top_p = was_given(top_p_option_),
                             .top_k = was_given(top_k_option_),
                             .min_p = was_given(min_p_option_),
                             .repetition_penalty = was_given(repetition_penalty_option_)},
                            sampling);
  if (was_given(seed_option_)) sampling.seed = seed_;
  request.max_tokens = max_tokens_;
  request.min_tokens = min_tokens_;
  request.ignore_eos = ignore_eos_;
  if (!was_given(max_tokens_option_)) {
    const auto prompt_tokens =
        static_cast<std::int32_t>(std::min<std::size_t>(request.prompt.size(), 1U << 30U));
    request.max_tokens = std::max(1, std::min(max_tokens_, context_tokens - prompt_tokens));
    request.min_tokens = std::min(min_tokens_, request.max_tokens);
  }
  return {};
}

}  // namespace hangar
