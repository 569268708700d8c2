#include <algorithm>
#include <boost/json/array.hpp>
#include <unordered_map>
#include <utility>

#include "serve/openai/answer_format.h"

namespace hangar {
namespace {

namespace json = boost::json;

// Characters that begin in `bytes`.
std::int64_t count_characters(std::string_view bytes) {
  return std::count_if(bytes.begin(), bytes.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
  });
}

// The legacy shape: four lists side by side. text_offset counts characters from the start of the
// returned text (with echo, that is the prompt's start).
class CompletionFormat final : public AnswerFormat {
 public:
  explicit CompletionFormat(bool logprobs) : logprobs_(logprobs) {}

  std::string_view id_prefix() const override { return "cmpl-"; }
  std::string_view object_name(bool /*stream*/) const override { return "text_completion"; }

  json::object choice(std::int32_t index, const std::string& text,
                      const std::vector<OutputToken>& tokens, FinishReason finish) override {
    return make(index, text, tokens, json::string(finish_reason_name(finish)));
  }

  void chunks(std::int32_t index, bool /*first*/, const OutputPiece& piece,
              const Emit& emit) override {
    json::value finish;
    if (piece.finish) finish = finish_reason_name(*piece.finish);
    emit(make(index, piece.text, piece.tokens, std::move(finish)));
  }

 private:
  json::object make(std::int32_t index, const std::string& text,
                    const std::vector<OutputToken>& tokens, json::value finish) {
    json::object choice;
    choice["text"] = text;
    choice["index"] = index;
    choice["logprobs"] = logprobs_value(index, tokens);
    choice["finish_reason"] = std::move(finish);
    return choice;
  }

  json::value logprobs_value(std::int32_t index, const std::vector<OutputToken>& tokens) {
    if (!logprobs_) return nullptr;
    std::int64_t& offset = offsets_[index];
    json::array texts, logprobs, tops, offsets;
    for (const OutputToken& token : tokens) {
      texts.emplace_back(token_text(token.bytes, "bytes:"));
      logprobs.push_back(token.logprob ? json::value(finite_logprob(*token.logprob))
                                       : json::value(nullptr));
      tops.push_back(top_value(token));
      offsets.emplace_back(offset);
      if (!token.hidden) offset += count_characters(token.bytes);
    }
    json::object object;
    object["tokens"] = std::move(texts);
    object["token_logprobs"] = std::move(logprobs);
    object["top_logprobs"] = std::move(tops);
    object["text_offset"] = std::move(offsets);
    return object;
  }

  // The likeliest tokens, and the chosen one if it is not among them.
  static json::value top_value(const OutputToken& token) {
    if (!token.logprob) return nullptr;
    json::object top;
    for (const TokenAlternative& other : token.top) {
      // Of two tokens with one text the likelier stays.
      top.emplace(token_text(other.bytes, "bytes:"), finite_logprob(other.logprob));
    }
    top.emplace(token_text(token.bytes, "bytes:"), finite_logprob(*token.logprob));
    return top;
  }

  bool logprobs_;
  std::unordered_map<std::int32_t, std::int64_t> offsets_;  // of the next token, by choice
};

}  // namespace

std::unique_ptr<AnswerFormat> make_completion_format(bool logprobs) {
  return std::make_unique<CompletionFormat>(logprobs);
}

}  // namespace hangar
