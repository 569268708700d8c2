#include "text/jinja/json_form.h"

#include <cmath>
#include <limits>

#include "text/jinja/heap.h"
#include "text/jinja/merge_sort.h"
#include "text/jinja/operators.h"
#include "text/jinja/reps.h"
#include "text/jinja/text_form.h"
#include "text/jinja/unicode.h"

namespace hangar::jinja {
namespace {

class JsonWriter {
 public:
  JsonWriter(Heap& heap, const JsonOptions& options) : heap_(heap), options_(options) {}

  void write(const Value& value, std::uint32_t depth) {
    switch (value.kind()) {
      case Kind::kNone:
        return put("null");
      case Kind::kBool:
        return put(value.as_bool() ? "true" : "false");
      case Kind::kInt:
        return put(fmt::format("{}", value.as_int()));
      case Kind::kDouble:
        return put(number(value.as_double()));
      case Kind::kString:
        return write_string(value.as_text());
      case Kind::kDict:
        return write_dict(value.as_dict(), depth);
      case Kind::kList:
        if (value.as_list().is_tuple() || value.as_list().flavor == ListFlavor::kList) {
          return write_list(value.as_list(), depth);
        }
        break;
      case Kind::kUndefined:
      case Kind::kObject:
        break;
    }
    fail_type("Object of type {} is not JSON serializable", type_name(value));
  }

  std::string take() { return std::move(out_); }

 private:
  void put(std::string_view piece) { heap_.append(out_, piece); }

  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    return float_repr(value);
  }

  void new_line(std::uint32_t depth) {
    if (!options_.indent) return;
    put("\n");
    for (std::uint32_t i = 0; i < depth; ++i) put(*options_.indent);
  }

  void separate(bool first) {
    if (!first) put(options_.item_separator);
  }

  void write_list(const ListRep& list, std::uint32_t depth) {
    if (list.items.empty()) return put("[]");
    put("[");
    bool first = true;
    for (const Value& item : list.items) {
      separate(first);
      first = false;
      new_line(depth + 1);
      write(item, depth + 1);
    }
    new_line(depth);
    put("]");
  }

  std::string key_text(const Value& key) {
    switch (key.kind()) {
      case Kind::kString:
        return std::string(key.as_text());
      case Kind::kNone:
        return "null";
      case Kind::kBool:
        return key.as_bool() ? "true" : "false";
      case Kind::kInt:
        return fmt::format("{}", key.as_int());
      case Kind::kDouble:
        return number(key.as_double());
      default:
        fail_type("keys must be str, int, float, bool or None, not {}", type_name(key));
    }
  }

  void write_dict(const DictRep& dict, std::uint32_t depth) {
    if (dict.entries().empty()) return put("{}");
    std::vector<const DictRep::Entry*> entries;
    for (const DictRep::Entry& entry : dict.entries()) entries.push_back(&entry);
    if (options_.sort_keys) {
      merge_sort(entries, [this](const auto* left, const auto* right) {
        return less(heap_.meter(), left->first, right->first);
      });
    }
    put("{");
    bool first = true;
    for (const DictRep::Entry* entry : entries) {
      separate(first);
      first = false;
      new_line(depth + 1);
      write_string(key_text(entry->first));
      put(options_.key_separator);
      write(entry->second, depth + 1);
    }
    new_line(depth);
    put("}");
  }

  void write_string(std::string_view text) {
    heap_.meter().scan(text.size());
    heap_.meter().check_room(out_.size() + text.size() * 2);
    out_ += '"';
    std::size_t offset = 0;
    while (offset < text.size()) {
      const std::size_t begin = offset;
      const char32_t code_point = next_code_point(text, offset);
      write_code_point(code_point, text.substr(begin, offset - begin));
    }
    out_ += '"';
  }

  void write_code_point(char32_t c, std::string_view bytes) {
    switch (c) {
      case '"':
        out_ += "\\\"";
        return;
      case '\\':
        out_ += "\\\\";
        return;
      case '\n':
        out_ += "\\n";
        return;
      case '\r':
        out_ += "\\r";
        return;
      case '\t':
        out_ += "\\t";
        return;
      case '\b':
        out_ += "\\b";
        return;
      case '\f':
        out_ += "\\f";
        return;
      default:
        break;
    }
    const auto code = static_cast<std::uint32_t>(c);
    if (code < 0x20 || (options_.ensure_ascii && code > 0x7E && code < 0x10000)) {
      out_ += fmt::format("\\u{:04x}", code);
    } else if (options_.ensure_ascii && code >= 0x10000) {
      const std::uint32_t rest = code - 0x10000;
      out_ += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10U), 0xDC00 + (rest & 0x3FFU));
    } else {
      out_ += bytes;
    }
  }

  Heap& heap_;
  const JsonOptions& options_;
  std::string out_;
};

}  // namespace

Value from_json(Heap& heap, const boost::json::value& json, std::uint32_t depth) {
  heap.meter().step();
  if (depth > heap.meter().limits().depth) {
    fail(ErrorCode::kResourceExhausted, "the context nests deeper than {}",
         heap.meter().limits().depth);
  }
  switch (json.kind()) {
    case boost::json::kind::null:
      return Value();
    case boost::json::kind::bool_:
      return Value::boolean(json.get_bool());
    case boost::json::kind::int64:
      return Value::integer(json.get_int64());
    case boost::json::kind::uint64:
      if (json.get_uint64() <=
          static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return Value::integer(static_cast<std::int64_t>(json.get_uint64()));
      }
      fail(ErrorCode::kInvalidArgument, "the context's number {} does not fit in 64 bits, signed",
           json.get_uint64());
    case boost::json::kind::double_:
      return Value::real(json.get_double());
    case boost::json::kind::string:
      return heap.string(std::string_view(json.get_string().data(), json.get_string().size()));
    case boost::json::kind::array: {
      std::vector<Value> items;
      items.reserve(json.get_array().size());
      for (const auto& item : json.get_array()) items.push_back(from_json(heap, item, depth + 1));
      return heap.list(std::move(items));
    }
    case boost::json::kind::object: {
      const auto dict = heap.new_dict();
      for (const auto& [key, item] : json.get_object()) {
        dict->set(heap.string(std::string_view(key.data(), key.size())),
                  from_json(heap, item, depth + 1));
      }
      return Heap::finish(dict);
    }
  }
  return Value();
}

std::string to_json(Heap& heap, const Value& value, const JsonOptions& options) {
  JsonWriter writer(heap, options);
  writer.write(value, 0);
  return writer.take();
}

}  // namespace hangar::jinja
