#include "base/json.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/stream_parser.hpp>
#include <cmath>
#include <iterator>

namespace hangar {
namespace {

class Writer {
 public:
  explicit Writer(int indent) : indent_(indent) {}

  void value(const boost::json::value& v, int depth) {
    switch (v.kind()) {
      case boost::json::kind::object:
        object(v.get_object(), depth);
        return;
      case boost::json::kind::array:
        array(v.get_array(), depth);
        return;
      case boost::json::kind::double_:
        number(v.get_double());
        return;
      default:
        out_ += boost::json::serialize(v);
        return;
    }
  }
  std::string take() { return std::move(out_); }

 private:
  void object(const boost::json::object& members, int depth) {
    out_ += '{';
    bool first = true;
    for (const auto& member : members) {
      if (!first) out_ += ',';
      first = false;
      line(depth + 1);
      out_ += boost::json::serialize(boost::json::string(member.key()));
      out_ += indent_ > 0 ? ": " : ":";
      value(member.value(), depth + 1);
    }
    if (!first) line(depth);
    out_ += '}';
  }

  void array(const boost::json::array& items, int depth) {
    // Lists of plain values stay on one line: token ids would otherwise fill pages.
    bool nested = false;
    for (const auto& item : items) nested = nested || item.is_structured();
    out_ += '[';
    bool first = true;
    for (const auto& item : items) {
      if (!first) out_ += nested || indent_ == 0 ? "," : ", ";
      first = false;
      if (nested) line(depth + 1);
      value(item, depth + 1);
    }
    if (nested) line(depth);
    out_ += ']';
  }

  void number(double d) {
    if (!std::isfinite(d)) {
      out_ += "null";
      return;
    }
    fmt::format_to(std::back_inserter(out_), "{}", d);
  }

  void line(int depth) {
    if (indent_ == 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(depth) * static_cast<std::size_t>(indent_), ' ');
  }

  int indent_;
  std::string out_;
};

}  // namespace

std::string write_json(const boost::json::value& value, int indent) {
  Writer writer(indent);
  writer.value(value, 0);
  return writer.take();
}

Result<boost::json::value> parse_json(std::string_view text, std::string_view what) {
  boost::json::stream_parser parser;
  boost::json::error_code failure;
  const std::size_t used = parser.write_some(text.data(), text.size(), failure);
  std::size_t at = used;
  if (!failure && used < text.size()) {
    // Whole value read; only white space may follow.
    at = text.find_first_not_of(" \t\r\n", used);
    if (at != std::string_view::npos) failure = boost::json::error::extra_data;
  }
  if (!failure) parser.finish(failure);
  if (!failure) return parser.release();
  std::size_t row = 1;
  std::size_t column = 1;
  for (const char c : text.substr(0, at)) {
    column = c == '\n' ? 1 : column + 1;
    row += c == '\n' ? 1 : 0;
  }
  return make_error(ErrorCode::kInvalidArgument, "{}: not JSON at line {}, column {}: {}", what,
                    row, column, failure.message());
}

std::string text_of(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = object.if_contains(key);
  const boost::json::string* text = value != nullptr ? value->if_string() : nullptr;
  return text != nullptr ? std::string(*text) : std::string();
}

}  // namespace hangar
