#include "serve/chat_prompt.h"

#include <optional>
#include <utility>

namespace hangar {
namespace {

void fill_token(boost::json::object& context, std::string_view key, const Tokenizer& tokenizer,
                std::optional<TokenId> id) {
  if (id && !context.contains(key)) context[key] = std::string(tokenizer.token_bytes(*id));
}

}  // namespace

Result<std::string> render_chat(const ServedModel& model, boost::json::object context) {
  const boost::json::value* tools = context.if_contains("tools");
  const bool with_tools = tools != nullptr && tools->is_array() && !tools->get_array().empty();
  const ChatTemplate* chat_template = model.chat_template(with_tools);
  if (chat_template == nullptr) {
    return make_error(ErrorCode::kUnsupported,
                      "the model \"{}\" has no chat template; use /v1/completions, or a model that "
                      "was made for conversations",
                      model.id());
  }
  const Tokenizer& tokenizer = model.tokenizer();
  const TokenizerSpec& spec = tokenizer.spec();
  fill_token(context, "bos_token", tokenizer, spec.bos);
  fill_token(context, "eos_token", tokenizer, spec.eos);
  if (!context.contains("add_generation_prompt")) context["add_generation_prompt"] = true;
  return chat_template->render(context);
}

std::vector<TokenId> encode_chat(const ServedModel& model, std::string_view text) {
  // The template writes bos itself where the model wants it, as transformers has it.
  return model.tokenizer().encode(text, {.add_special = false, .parse_special = true});
}

Result<ChatPrompt> make_chat_prompt(const ServedModel& model, boost::json::object context) {
  ChatPrompt prompt;
  HANGAR_TRY(prompt.text, render_chat(model, std::move(context)));
  prompt.ids = encode_chat(model, prompt.text);
  return prompt;
}

}  // namespace hangar
