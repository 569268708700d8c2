#include "serve/choice_assembler.h"

#include <iterator>
#include <span>
#include <utility>

#include "text/post_processor.h"

namespace hangar {

ChoiceAssembler::ChoiceAssembler(const Tokenizer& tokenizer, std::int32_t choice,
                                 ChoiceOptions options)
    : tokenizer_(tokenizer),
      choice_(choice),
      options_(std::move(options)),
      matcher_(options_.stop) {}

OutputToken ChoiceAssembler::make_token(const Event& event, bool from_prompt) const {
  OutputToken token;
  token.id = event.token;
  token.bytes = tokenizer_.token_bytes(event.token);
  token.from_prompt = from_prompt;
  token.hidden = !from_prompt && !options_.keep_special && tokenizer_.is_special(event.token);
  if (event.has_logprob) token.logprob = event.logprob;
  token.top.reserve(event.top.size());
  for (const TokenLogprob& other : event.top) {
    token.top.push_back(
        {other.token, std::string(tokenizer_.token_bytes(other.token)), other.logprob});
  }
  return token;
}

void ChoiceAssembler::on_prompt_token(const Event& event) {
  if (options_.echo && options_.logprobs) prompt_tokens_.push_back(make_token(event, true));
}

void ChoiceAssembler::take_echo(OutputPiece& piece) {
  if (!options_.echo) return;
  // A bos that the tokenizer put in front is no part of what the caller wrote.
  std::span<const TokenId> ids = *options_.echo;
  const TokenizerSpec& spec = tokenizer_.spec();
  const bool added_bos = begins_with_bos(spec) && !ids.empty() && ids.front() == *spec.bos;
  if (added_bos) {
    ids = ids.subspan(1);
    if (!prompt_tokens_.empty()) prompt_tokens_.erase(prompt_tokens_.begin());
  }
  std::string bytes;
  for (const TokenId id : ids) bytes += tokenizer_.token_bytes(id);
  piece.text = to_valid_utf8(bytes);
  piece.tokens = std::move(prompt_tokens_);
  prompt_tokens_.clear();
  options_.echo.reset();
}

void ChoiceAssembler::release_tokens(OutputPiece& piece, bool all) {
  while (!waiting_.empty() && (all || waiting_.front().start < emitted_bytes_)) {
    piece.tokens.push_back(std::move(waiting_.front().token));
    waiting_.pop_front();
  }
}

void ChoiceAssembler::emit(std::string text, OutputPiece& piece) {
  decoded_bytes_ += text.size();
  if (completion_tokens_ > options_.min_tokens) text = matcher_.push(text);
  emitted_bytes_ += text.size();
  piece.text += text;
}

std::optional<OutputPiece> ChoiceAssembler::on_token(const Event& event) {
  if (finished_) return std::nullopt;
  OutputPiece piece;
  piece.choice = choice_;
  take_echo(piece);
  ++completion_tokens_;
  OutputToken token = make_token(event, false);
  std::string bytes = token.hidden ? std::string() : token.bytes;
  if (options_.logprobs) waiting_.push_back({decoded_bytes_, std::move(token)});
  emit(decoder_.push(bytes), piece);
  release_tokens(piece, false);
  if (matcher_.stopped()) {
    finished_ = true;
    piece.finish = FinishReason::kStop;
  }
  if (piece.text.empty() && piece.tokens.empty() && !piece.finish) return std::nullopt;
  return piece;
}

std::optional<OutputPiece> ChoiceAssembler::on_end(FinishReason reason) {
  if (finished_) return std::nullopt;
  finished_ = true;
  OutputPiece piece;
  piece.choice = choice_;
  take_echo(piece);
  emit(decoder_.finish(), piece);
  if (!matcher_.stopped()) {
    const std::string held = matcher_.finish();
    emitted_bytes_ += held.size();
    piece.text += held;
  }
  release_tokens(piece, !matcher_.stopped());
  if (matcher_.stopped()) reason = FinishReason::kStop;
  // Failures are told once, by the request's end piece.
  if (reason == FinishReason::kStop || reason == FinishReason::kLength) piece.finish = reason;
  if (piece.text.empty() && piece.tokens.empty() && !piece.finish) return std::nullopt;
  return piece;
}

}  // namespace hangar
