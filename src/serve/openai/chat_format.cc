#include <boost/json/array.hpp>
#include <utility>

#include "serve/openai/answer_format.h"

namespace hangar {
namespace {

namespace json = boost::json;

json::object token_object(std::string_view bytes, double logprob) {
  json::array numbers;
  numbers.reserve(bytes.size());
  for (const char byte : bytes) numbers.emplace_back(static_cast<unsigned char>(byte));
  json::object object;
  object["token"] = token_text(bytes, "");
  object["logprob"] = logprob;
  object["bytes"] = std::move(numbers);
  return object;
}

class ChatFormat final : public AnswerFormat {
 public:
  explicit ChatFormat(bool logprobs) : logprobs_(logprobs) {}

  std::string_view id_prefix() const override { return "chatcmpl-"; }
  std::string_view object_name(bool stream) const override {
    return stream ? "chat.completion.chunk" : "chat.completion";
  }

  json::object choice(std::int32_t index, const std::string& text,
                      const std::vector<OutputToken>& tokens, FinishReason finish) override {
    json::object message;
    message["role"] = "assistant";
    message["content"] = text;
    message["refusal"] = nullptr;
    json::object choice;
    choice["index"] = index;
    choice["message"] = std::move(message);
    choice["logprobs"] = logprobs_value(tokens);
    choice["finish_reason"] = finish_reason_name(finish);
    return choice;
  }

  void chunks(std::int32_t index, bool first, const OutputPiece& piece, const Emit& emit) override {
    if (first) {
      json::object delta;
      delta["role"] = "assistant";
      delta["content"] = "";
      delta["refusal"] = nullptr;
      emit(chunk(index, std::move(delta), nullptr, nullptr));
    }
    if (!piece.text.empty() || !piece.tokens.empty()) {
      json::object delta;
      delta["content"] = piece.text;
      emit(chunk(index, std::move(delta), logprobs_value(piece.tokens), nullptr));
    }
    if (piece.finish) {
      emit(chunk(index, json::object(), nullptr, json::string(finish_reason_name(*piece.finish))));
    }
  }

 private:
  static json::object chunk(std::int32_t index, json::object delta, json::value logprobs,
                            json::value finish) {
    json::object choice;
    choice["index"] = index;
    choice["delta"] = std::move(delta);
    choice["logprobs"] = std::move(logprobs);
    choice["finish_reason"] = std::move(finish);
    return choice;
  }

  json::value logprobs_value(const std::vector<OutputToken>& tokens) const {
    if (!logprobs_) return nullptr;
    json::array content;
    content.reserve(tokens.size());
    for (const OutputToken& token : tokens) {
      json::object object =
          token_object(token.bytes, token.logprob ? finite_logprob(*token.logprob) : 0.0);
      json::array top;
      top.reserve(token.top.size());
      for (const TokenAlternative& other : token.top) {
        top.push_back(token_object(other.bytes, finite_logprob(other.logprob)));
      }
      object["top_logprobs"] = std::move(top);
      content.push_back(std::move(object));
    }
    json::object logprobs;
    logprobs["content"] = std::move(content);
    logprobs["refusal"] = nullptr;
    return logprobs;
  }

  bool logprobs_;
};

}  // namespace

std::unique_ptr<AnswerFormat> make_chat_format(bool logprobs) {
  return std::make_unique<ChatFormat>(logprobs);
}

}  // namespace hangar
