// Renders templates for tools/template_diff.py: one JSON object a line in, one a line out.
//
// In: {"template": text, "context": object, "now": seconds since 1970}. Out: {"text": ...}, or
// {"fails": "parse" | "render", "words": ...} where the template or its rendering is refused.
#include <boost/json.hpp>
#include <iostream>
#include <string>

#include "text/chat_template.h"

namespace hangar {
namespace {

boost::json::object render_one(const boost::json::object& job) {
  auto parsed = ChatTemplate::parse(job.at("template").as_string());
  if (!parsed) return {{"fails", "parse"}, {"words", parsed.error().message}};
  const auto text =
      parsed->render(job.at("context").as_object(), job.at("now").to_number<std::int64_t>());
  if (!text) return {{"fails", "render"}, {"words", text.error().message}};
  return {{"text", *text}};
}

}  // namespace
}  // namespace hangar

int main() {
  std::ios::sync_with_stdio(false);
  std::string line;
  while (std::getline(std::cin, line)) {
    const boost::json::value job = boost::json::parse(line);
    std::cout << boost::json::serialize(hangar::render_one(job.as_object())) << '\n' << std::flush;
  }
  return 0;
}
