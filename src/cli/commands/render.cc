// hangar render: a chat template and its context in, the rendered text out.
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <memory>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/mapped_file.h"
#include "cli/clock.h"
#include "cli/commands/commands.h"
#include "cli/model_loading.h"
#include "cli/setting_flags.h"
#include "text/chat_template.h"

namespace hangar {
namespace {

constexpr std::size_t kMaxInputBytes = 64U << 20U;

constexpr const char* kExamples =
    "Examples:\n"
    "  echo '{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}],\n"
    "         \"add_generation_prompt\": true}' | hangar render\n"
    "  hangar render --template chat.jinja --input context.json\n"
    "\n"
    "The context is a JSON object: messages, tools, add_generation_prompt and whatever else the\n"
    "template asks for. \"now\" (seconds since 1970, or like \"2026-11-28T04:05:06Z\") is not "
    "shown to\n"
    "the template: it fixes the clock that strftime_now reads. With --model, bos_token and\n"
    "eos_token are the model's where the context does not name them. No newline is added.";

// Takes "now" out of the context.
Result<std::optional<std::int64_t>> take_now(boost::json::object& context) {
  const boost::json::value* now = context.if_contains("now");
  if (now == nullptr || now->is_null()) {
    context.erase("now");
    return std::optional<std::int64_t>();
  }
  std::string text;
  if (now->is_string()) {
    text = std::string(now->get_string());
  } else if (now->is_double()) {
    text = fmt::format("{:.0f}", now->get_double());
  } else {
    text = write_json(*now);
  }
  HANGAR_TRY(const std::int64_t seconds, parse_moment(text));
  context.erase("now");
  return std::optional<std::int64_t>(seconds);
}

void fill_token(boost::json::object& context, const char* key, const TokenizerSpec& spec,
                std::optional<TokenId> id) {
  if (context.contains(key) || !id || *id < 0) return;
  const auto index = static_cast<std::size_t>(*id);
  if (index < spec.tokens.size()) context[key] = boost::json::string(spec.tokens[index]);
}

class RenderCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    template_given_ =
        app.add_option("--template", template_file_, "A Jinja template, instead of the model's own")
            ->type_name("FILE");
    app.add_option("--template-name", template_name_,
                   "Which of the model's templates, where it has several")
        ->type_name("NAME");
    app.add_option("--input", input_, "The context, a JSON object; - is standard input (default)")
        ->type_name("FILE");
    settings_.add(app, {Setting::kModel, Setting::kModelsDir});
    app.footer(kExamples);
  }

  Result<int> run(const CommandContext& context) override;

 private:
  Result<std::string> model_template(const Checkpoint& checkpoint) const;
  Result<boost::json::object> read_context() const;

  SettingFlags settings_;
  std::string template_file_;
  std::string template_name_;
  std::string input_ = "-";
  CLI::Option* template_given_ = nullptr;
};

Result<std::string> RenderCommand::model_template(const Checkpoint& checkpoint) const {
  if (template_name_.empty()) {
    if (const auto source = default_template(checkpoint)) return source->text;
    return make_error(ErrorCode::kUnsupported, "the model's file has no chat template");
  }
  std::vector<std::string> names;
  for (const ChatTemplateSource& source : checkpoint.chat_templates()) {
    if (source.name == template_name_) return source.text;
    names.push_back(source.name);
  }
  return make_error(ErrorCode::kNotFound, "--template-name: no '{}' here; there are: {}",
                    template_name_, fmt::join(names, ", "));
}

Result<boost::json::object> RenderCommand::read_context() const {
  const bool standard_input = input_ == "-";
  const std::string what = standard_input ? "standard input" : input_;
  HANGAR_TRY(const std::string text, standard_input ? read_all(STDIN_FILENO, what, kMaxInputBytes)
                                                    : read_text_file(input_, kMaxInputBytes));
  HANGAR_TRY(boost::json::value value, parse_json(text, what));
  if (!value.is_object()) {
    return make_error(ErrorCode::kInvalidArgument, "{}: must be a JSON object", what);
  }
  return std::move(value.get_object());
}

Result<int> RenderCommand::run(const CommandContext& context) {
  HANGAR_TRY(const Settings settings, settings_.resolve());
  const bool from_file = template_given_->count() > 0;
  if (from_file && !template_name_.empty()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "--template and --template-name exclude each other");
  }
  std::string source;
  TokenizerSpec spec;
  // With --template alone no model needs to be here.
  if (!from_file || settings.value(Setting::kModel).source == SettingSource::kFlag) {
    HANGAR_TRY(const StoredModel stored, find_model(settings));
    HANGAR_TRY(const std::unique_ptr<Checkpoint> checkpoint, open_checkpoint(stored.path));
    HANGAR_TRY(spec, checkpoint->tokenizer());
    if (!from_file) {
      HANGAR_TRY(source, model_template(*checkpoint));
    }
  }
  if (from_file) {
    HANGAR_TRY(source, read_text_file(template_file_, kMaxInputBytes));
  }
  auto parsed = ChatTemplate::parse(source);
  if (!parsed) {
    return with_context(std::move(parsed.error()), from_file ? template_file_ : "chat template");
  }
  HANGAR_TRY(boost::json::object input, read_context());
  HANGAR_TRY(const std::optional<std::int64_t> now, take_now(input));
  fill_token(input, "bos_token", spec, spec.bos);
  fill_token(input, "eos_token", spec, spec.eos);
  HANGAR_TRY(const std::string text, parsed->render(input, now));
  HANGAR_CHECK_OK(context.out.write(text));
  return 0;
}

}  // namespace

std::unique_ptr<Command> make_render_command() {
  return std::make_unique<RenderCommand>();
}

}  // namespace hangar
