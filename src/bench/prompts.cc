#include "bench/prompts.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/json.h"
#include "base/mapped_file.h"

namespace hangar::bench {
namespace {

// The shared prefix is drawn from a stream of its own: how many prompts there are changes nothing
// about it.
constexpr std::uint64_t kPrefixStream = 0x9e3779b97f4a7c15ULL;
constexpr std::size_t kMaxFileBytes = 1U << 30U;

}  // namespace

SyntheticPrompts::SyntheticPrompts(WordCost cost, const SyntheticOptions& options)
    : cost_(std::move(cost)), options_(options), random_(options.seed) {
  if (options_.shared_prefix_tokens > 0) {
    Random random(options.seed ^ kPrefixStream);
    prefix_ = words_of(options_.shared_prefix_tokens, random) + " ";
  }
}

std::string SyntheticPrompts::words_of(std::int64_t tokens, Random& random) const {
  const auto words =
      std::max<std::int64_t>(1, std::llround(static_cast<double>(tokens) / cost_.tokens_per_word));
  std::string text;
  for (std::int64_t i = 0; i < words; ++i) {
    if (i > 0) text += ' ';
    text += cost_.words[random.below(cost_.words.size())];
  }
  return text;
}

BenchPrompt SyntheticPrompts::next() {
  BenchPrompt prompt;
  const std::int64_t own_tokens = options_.prompt_tokens.sample(random_);
  prompt.max_tokens = options_.output_tokens.sample(random_);
  prompt.text = prefix_ + words_of(own_tokens - cost_.overhead_tokens, random_);
  prompt.prompt_tokens = static_cast<std::int32_t>(own_tokens + options_.shared_prefix_tokens);
  return prompt;
}

Result<std::vector<BenchPrompt>> parse_prompts(std::string_view text, std::string_view what,
                                               const LengthDistribution& output_tokens,
                                               std::uint64_t seed) {
  Random random(seed);
  std::vector<BenchPrompt> prompts;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = fmt::format("{}: line {}", what, number);
    const auto refuse = [&](std::string_view why) {
      return make_error(ErrorCode::kInvalidArgument, "{}: {}", where, why);
    };
    HANGAR_TRY(boost::json::value value, parse_json(line, where));
    if (!value.is_object()) return refuse("must be a JSON object");
    BenchPrompt prompt;
    prompt.max_tokens = output_tokens.sample(random);
    bool asks = false;
    for (auto& [key, member] : value.get_object()) {
      if (key == "prompt" || key == "messages") {
        if (asks) return refuse("has both a prompt and messages");
        asks = true;
        if (key == "prompt") {
          if (!member.is_string()) return refuse("\"prompt\" must be a text");
          prompt.text = member.get_string();
        } else {
          if (!member.is_array() || member.get_array().empty()) {
            return refuse("\"messages\" must be a list that is not empty");
          }
          prompt.messages = std::move(member.get_array());
        }
      } else if (key == "max_tokens") {
        const std::int64_t* tokens = member.if_int64();
        if (tokens == nullptr || *tokens < 1 || *tokens > LengthDistribution::kMostTokens) {
          return refuse("\"max_tokens\" must be a whole number from 1 on");
        }
        prompt.max_tokens = static_cast<std::int32_t>(*tokens);
      } else {
        return refuse(fmt::format("\"{}\" is unknown: there are prompt, messages and max_tokens",
                                  std::string_view(key)));
      }
    }
    if (!asks) return refuse("has neither a \"prompt\" nor \"messages\"");
    prompts.push_back(std::move(prompt));
  }
  if (prompts.empty()) {
    return make_error(ErrorCode::kInvalidArgument, "{}: holds no prompt", what);
  }
  return prompts;
}

Result<std::vector<BenchPrompt>> read_prompt_file(const std::filesystem::path& path,
                                                  const LengthDistribution& output_tokens,
                                                  std::uint64_t seed) {
  HANGAR_TRY(const std::string text, read_text_file(path, kMaxFileBytes));
  return parse_prompts(text, path.string(), output_tokens, seed);
}

}  // namespace hangar::bench
