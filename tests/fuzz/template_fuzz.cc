// Fuzzes the template engine: any bytes are a template; parsing and rendering end in text or an
// error.
#include <cstdint>
#include <string_view>

#include "text/chat_template.h"

namespace {

const boost::json::object& context() {
  static const boost::json::object object =
      boost::json::parse(R"({"messages": [{"role": "system", "content": " s "},
        {"role": "user", "content": [{"type": "text", "text": "h\u00e9"}]},
        {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1.5}}}]}],
        "tools": null, "add_generation_prompt": true, "bos_token": "<s>", "n": 7, "l": [3, "b", null]})")
          .as_object();
  return object;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed =
      hangar::ChatTemplate::parse(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!parsed) return 0;
  hangar::TemplateLimits limits;
  limits.steps = 20'000;
  limits.depth = 50;
  limits.output_bytes = 1U << 16U;
  limits.memory_bytes = 1U << 22U;
  const auto text = parsed->render(context(), 0, limits);
  // An error must say something.
  if (!text && text.error().message.empty() &&
      text.error().code != hangar::ErrorCode::kInvalidArgument) {
    __builtin_trap();
  }
  return 0;
}
