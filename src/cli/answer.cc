#include "cli/answer.h"

#include <utility>

#include "cli/clock.h"
#include "cli/interrupt.h"

namespace hangar {
namespace {

// How long Ctrl-C may go unseen while no token comes.
constexpr std::int64_t kPollUs = 50'000;

double rate(std::int32_t tokens, std::int64_t time_us) {
  return tokens > 0 && time_us > 0 ? tokens * 1e6 / static_cast<double>(time_us) : 0;
}

void take_tokens(Answer& answer, std::vector<OutputToken> tokens) {
  for (OutputToken& token : tokens) {
    (token.from_prompt ? answer.prompt_tokens : answer.tokens).push_back(std::move(token));
  }
}

}  // namespace

double Answer::prompt_tokens_per_s() const {
  return rate(usage.prompt_tokens - usage.cached_tokens, first_us);
}

double Answer::decode_tokens_per_s() const {
  return rate(usage.completion_tokens - 1, total_us - first_us);
}

Result<Answer> run_answer(ServedModel& model, TextRequest request,
                          FunctionRef<Status(std::string_view)> on_text) {
  const std::int64_t start_us = steady_now_us();
  HANGAR_TRY(const std::unique_ptr<OutputStream> stream, model.generate(std::move(request)));
  Answer answer;
  while (true) {
    std::optional<OutputPiece> piece = stream->next(kPollUs);
    if (!answer.interrupted && InterruptScope::taken()) {
      answer.interrupted = true;
      stream->cancel();
    }
    if (!piece) continue;
    const bool news = !piece->text.empty() || !piece->tokens.empty();
    if (answer.first_us == 0 && (news || piece->end)) answer.first_us = steady_now_us() - start_us;
    // What the engine had made before it saw the cancellation is not shown any more.
    if (!answer.interrupted && !piece->text.empty()) {
      HANGAR_CHECK_OK(on_text(piece->text));
      answer.text += piece->text;
    }
    take_tokens(answer, std::move(piece->tokens));
    if (piece->finish) answer.finish = *piece->finish;
    if (!piece->end) continue;
    answer.usage = piece->usage;
    answer.total_us = steady_now_us() - start_us;
    if (!piece->error.empty()) return make_error(ErrorCode::kInternal, "{}", piece->error);
    return answer;
  }
}

std::string_view finish_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kCancelled:
      return "cancelled";
    case FinishReason::kFailed:
      return "failed";
    case FinishReason::kExpired:
      return "expired";
  }
  return "failed";
}

}  // namespace hangar
