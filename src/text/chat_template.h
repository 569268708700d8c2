// ChatTemplate: a model's own Jinja template, rendered as transformers renders it.
//
// Promise: render(context) gives the same bytes as Jinja2's sandbox as transformers configures it
//   (trim_blocks, lstrip_blocks, tojson, raise_exception, strftime_now). The context is a JSON
//   object
//   ("messages", "tools", "add_generation_prompt", "bos_token", ...); the order of keys is kept.
// Errors: parse: kUnsupported or kCorrupt with the line; render: kInvalidArgument with the words of
//   raise_exception, or kResourceExhausted where steps, depth, output or memory pass
//   their limits.
// Threads: const and thread-safe after parse.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hangar {

struct TemplateLimits {
  std::uint64_t steps = 10'000'000;
  std::uint32_t depth = 200;
  std::size_t output_bytes = 16U << 20U;
  std::size_t memory_bytes = 256U << 20U;  // of all values alive at one time
};

class ChatTemplate {
 public:
  static Result<ChatTemplate> parse(std::string_view source);
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  // now_unix_s: what strftime_now sees, in seconds since 1970 (UTC); nullopt: the clock.
  Result<std::string> render(const boost::json::object& context,
                             std::optional<std::int64_t> now_unix_s = std::nullopt,
                             const TemplateLimits& limits = {}) const;
  const std::string& source() const;

 private:
  struct Impl;
  explicit ChatTemplate(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hangar
