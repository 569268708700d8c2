#include "text/chat_template.h"

#include <ctime>
#include <new>

#include "text/jinja/error.h"
#include "text/jinja/evaluator.h"
#include "text/jinja/heap.h"
#include "text/jinja/json_form.h"
#include "text/jinja/parser.h"

namespace hangar {
namespace {

tl::unexpected<Error> to_error(const jinja::TemplateFailure& failure, int line) {
  Error error = failure.error();
  if (failure.line() != 0) line = failure.line();
  if (!failure.verbatim()) error.message = fmt::format("template line {}: {}", line, error.message);
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace

struct ChatTemplate::Impl {
  std::string source;
  jinja::ast::Body root;
};

ChatTemplate::ChatTemplate(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

Result<ChatTemplate> ChatTemplate::parse(std::string_view source) {
  try {
    auto impl = std::make_unique<Impl>();
    impl->source = std::string(source);
    impl->root = jinja::parse_template(source);
    return ChatTemplate(std::move(impl));
  } catch (const jinja::TemplateFailure& failure) {
    return to_error(failure, 1);
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kResourceExhausted, "template: out of memory");
  }
}

Result<std::string> ChatTemplate::render(const boost::json::object& context,
                                         std::optional<std::int64_t> now_unix_s,
                                         const TemplateLimits& limits) const {
  int line = 0;
  try {
    jinja::Heap heap(limits, now_unix_s ? *now_unix_s : std::int64_t{std::time(nullptr)});
    const auto names = heap.new_dict();
    for (const auto& [key, value] : context) {
      const std::string_view name(key.data(), key.size());
      names->set(heap.string(name), jinja::from_json(heap, value));
    }
    jinja::Evaluator evaluator(heap, jinja::Heap::finish(names));
    try {
      return evaluator.run(impl_->root);
    } catch (const jinja::TemplateFailure& failure) {
      line = evaluator.line();
      return to_error(failure, line);
    }
  } catch (const jinja::TemplateFailure& failure) {
    return to_error(failure, line);  // the context itself passed a limit
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kResourceExhausted, "template line {}: out of memory", line);
  }
}

const std::string& ChatTemplate::source() const {
  return impl_->source;
}

}  // namespace hangar
