// PromptSource: what each request of a load asks.
//
// Promise: next() gives prompts in a fixed order for a fixed seed, whoever asks and whenever.
//   SyntheticPrompts writes common words at random: each prompt its own from the first word on (no
//   prefix cache helps) but for the shared prefix, which all begin with. ListedPrompts goes through
//   a list again and again.
// Units: tokens as the server's usage counts them, template and all; prompt_tokens 0: not known.
// Errors: none here; read_prompt_file: kIo, kInvalidArgument with the line and what is wrong.
// Threads: one at a time.
#pragma once

#include <boost/json/array.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/lengths.h"
#include "bench/random.h"

namespace hangar::bench {

struct BenchPrompt {
  std::string text;                            // where there are no messages
  std::optional<boost::json::array> messages;  // as the chat endpoint takes them
  std::int32_t prompt_tokens = 0;
  std::int32_t max_tokens = 16;
};

class PromptSource {
 public:
  virtual ~PromptSource() = default;
  virtual BenchPrompt next() = 0;
};

// Words and what they cost, found out from a server or a tokenizer (calibration.h).
struct WordCost {
  std::vector<std::string> words;
  double tokens_per_word = 1.0;
  std::int32_t overhead_tokens = 0;  // what the template and special tokens add to any prompt
  std::string method;                // how this was found out, for the report
};

struct SyntheticOptions {
  LengthDistribution prompt_tokens = LengthDistribution::fixed(128);
  LengthDistribution output_tokens = LengthDistribution::fixed(128);
  std::int32_t shared_prefix_tokens = 0;  // comes before prompt_tokens' own
  std::uint64_t seed = 0;
};

class SyntheticPrompts : public PromptSource {
 public:
  SyntheticPrompts(WordCost cost, const SyntheticOptions& options);
  BenchPrompt next() override;

 private:
  std::string words_of(std::int64_t tokens, Random& random) const;

  WordCost cost_;
  SyntheticOptions options_;
  Random random_;
  std::string prefix_;
};

class ListedPrompts : public PromptSource {
 public:
  explicit ListedPrompts(std::vector<BenchPrompt> prompts) : prompts_(std::move(prompts)) {}
  BenchPrompt next() override { return prompts_[next_++ % prompts_.size()]; }

 private:
  std::vector<BenchPrompt> prompts_;  // at least one
  std::size_t next_ = 0;
};

// One JSON object a line: {"prompt": TEXT} or {"messages": [...]}, and "max_tokens" if it is not to
// be drawn from `output_tokens`. Other members are refused. At least one prompt.
Result<std::vector<BenchPrompt>> parse_prompts(std::string_view text, std::string_view what,
                                               const LengthDistribution& output_tokens,
                                               std::uint64_t seed);
Result<std::vector<BenchPrompt>> read_prompt_file(const std::filesystem::path& path,
                                                  const LengthDistribution& output_tokens,
                                                  std::uint64_t seed);

}  // namespace hangar::bench
