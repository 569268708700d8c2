#include "eval/perplexity.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "backend/registry.h"
#include "eval/log_likelihood.h"

namespace hangar {
namespace {

constexpr std::int32_t kBlockTokens = 16;

std::int32_t blocks_of(std::int32_t tokens) {
  return (tokens + kBlockTokens - 1) / kBlockTokens;
}

}  // namespace

PerplexityProbe::PerplexityProbe(const EvalOptions& options, std::unique_ptr<Backend> backend,
                                 std::int32_t blocks)
    : options_(options),
      backend_(std::move(backend)),
      pool_(blocks, kBlockTokens),
      team_(options.threads) {}

Result<std::unique_ptr<PerplexityProbe>> PerplexityProbe::make(const Checkpoint& checkpoint,
                                                               const EvalOptions& options) {
  HANGAR_TRY(const ModelConfig config, checkpoint.config());
  if (options.context_tokens > config.context_tokens) {
    return make_error(ErrorCode::kInvalidArgument,
                      "windows of {} tokens are longer than the model's context of {}",
                      options.context_tokens, config.context_tokens);
  }
  const std::int64_t blocks =
      std::int64_t{options.batch_windows} * blocks_of(options.context_tokens);
  if (options.batch_windows < 1 || options.context_tokens < 1 || options.step_rows < 1 ||
      blocks > (1 << 24)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{} windows of {} tokens side by side, {} rows a step: no such batch",
                      options.batch_windows, options.context_tokens, options.step_rows);
  }
  const BackendOptions backend_options{.threads = options.threads, .quant = options.quant};
  HANGAR_TRY(auto backend, make_backend(options.backend, backend_options));
  std::unique_ptr<PerplexityProbe> probe(
      new PerplexityProbe(options, std::move(backend), static_cast<std::int32_t>(blocks)));
  const auto row_bytes = static_cast<std::size_t>(config.vocabulary) * sizeof(float);
  const std::size_t fitting = std::max<std::size_t>(1, options.logit_bytes / row_bytes);
  probe->logit_rows_ =
      static_cast<std::int32_t>(std::min(fitting, static_cast<std::size_t>(options.step_rows)));
  HANGAR_TRY(probe->model_, make_model(checkpoint, *probe->backend_,
                                       {.max_rows = options.step_rows,
                                        .max_logit_rows = probe->logit_rows_,
                                        .context_tokens = options.context_tokens}));
  KvShape shape = probe->model_->kv_shape(static_cast<std::int32_t>(blocks), kBlockTokens);
  if (options.kv_type) shape.type = *options.kv_type;
  HANGAR_TRY(probe->cache_, probe->backend_->make_kv_cache(shape));
  return probe;
}

// A step's rows: of each window under way, in order, as many as there is room for. The first gets
// what it can take, so windows end in order.
void PerplexityProbe::lay_out(const Text& text, std::vector<Active>& active) {
  batch_ = {};
  batch_.block_tokens = kBlockTokens;
  for (Active& one : active) {
    const EvalWindow& window = *one.window;
    // The logits of row i predict token i + 1; the last token predicts nothing that is scored.
    const std::int32_t first_wanted = window.first_scored - 1;
    const std::int32_t room = options_.step_rows - batch_.rows();
    const auto logit_room = logit_rows_ - static_cast<std::int32_t>(batch_.logit_rows.size());
    const std::int32_t end = std::min(
        {window.tokens - 1, one.done + room, std::max(one.done, first_wanted) + logit_room});
    one.step_rows = end - one.done;
    if (one.step_rows == 0) continue;
    const auto first_block = static_cast<std::int32_t>(batch_.block_tables.size());
    const auto blocks = one.blocks->blocks();
    batch_.sequences.push_back({batch_.rows(), one.step_rows, one.done, first_block,
                                static_cast<std::int32_t>(blocks.size())});
    batch_.block_tables.insert(batch_.block_tables.end(), blocks.begin(), blocks.end());
    for (std::int32_t i = one.done; i < end; ++i) {
      if (i >= first_wanted) batch_.logit_rows.push_back(batch_.rows());
      batch_.token_ids.push_back(text.at(window, i));
      batch_.positions.push_back(i);
    }
  }
}

void PerplexityProbe::score(const Text& text, std::vector<Active>& active) {
  const Activation logits = model_->forward(batch_, *cache_);
  logits_.resize(static_cast<std::size_t>(logits.rows * logits.columns));
  if (!logits_.empty()) backend_->read(logits, logits_);
  // What each row of logits should have predicted.
  std::vector<TokenId> next;
  for (const Active& one : active) {
    const std::int32_t first = std::max(one.done, one.window->first_scored - 1);
    for (std::int32_t i = first; i < one.done + one.step_rows; ++i) {
      next.push_back(text.at(*one.window, i + 1));
    }
  }
  likelihoods_.resize(next.size());
  const auto columns = static_cast<std::size_t>(logits.columns);
  team_.parallel_for(std::ssize(next), 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (auto r = static_cast<std::size_t>(begin); r < static_cast<std::size_t>(end); ++r) {
      likelihoods_[r] =
          negative_log_likelihood(std::span(logits_).subspan(r * columns, columns), next[r]);
    }
  });
  std::size_t row = 0;
  for (Active& one : active) {
    const std::int32_t first = std::max(one.done, one.window->first_scored - 1);
    for (std::int32_t i = first; i < one.done + one.step_rows; ++i) {
      one.tally.add(likelihoods_[row++], one.window->weight);
    }
    one.done += one.step_rows;
  }
}

Result<PerplexityResult> PerplexityProbe::run(std::span<const TokenId> tokens,
                                              std::span<const EvalWindow> windows,
                                              std::optional<TokenId> first_token,
                                              const Watch& watch) {
  const std::int32_t vocabulary = config().vocabulary;
  const auto outside = [&](TokenId id) { return id < 0 || id >= vocabulary; };
  const auto wrong = std::ranges::find_if(tokens, outside);
  if (wrong != tokens.end() || (first_token && outside(*first_token))) {
    return make_error(ErrorCode::kInvalidArgument, "token {}: the model's vocabulary has {} tokens",
                      wrong != tokens.end() ? *wrong : *first_token, vocabulary);
  }
  const Text text{tokens, first_token};
  PerplexityResult result;
  std::vector<Active> active;
  std::size_t next = 0;
  while (next < windows.size() || !active.empty()) {
    while (next < windows.size() && std::ssize(active) < options_.batch_windows) {
      Active one;
      one.window = &windows[next++];
      one.blocks = std::make_unique<BlockTable>(pool_);
      std::vector<BlockCopy> none;  // nothing is shared
      if (!one.blocks->prepare(0, one.window->tokens, none)) {
        return make_error(ErrorCode::kInvalidArgument, "a window of {} tokens, of at most {}",
                          one.window->tokens, options_.context_tokens);
      }
      active.push_back(std::move(one));
    }
    lay_out(text, active);
    score(text, active);
    result.computed_tokens += batch_.rows();
    std::size_t done = 0;
    while (done < active.size() && active[done].done == active[done].window->tokens - 1) ++done;
    for (std::size_t i = 0; i < done; ++i) {
      result.tally.add(active[i].tally);
      result.windows += 1;
      result.scored_tokens += active[i].window->scored();
    }
    active.erase(active.begin(), active.begin() + static_cast<std::ptrdiff_t>(done));
    if (!watch(result)) break;
  }
  return result;
}

}  // namespace hangar
