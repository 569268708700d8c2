#include "text/jinja/percent_format.h"

#include <cmath>

#include "base/html.h"
#include "text/jinja/format_spec.h"
#include "text/jinja/heap.h"
#include "text/jinja/operators.h"
#include "text/jinja/text_form.h"
#include "text/jinja/unicode.h"

namespace hangar::jinja {
namespace {

class PercentFormatter {
 public:
  PercentFormatter(Heap& heap, const Value& format, const Value& arguments)
      : heap_(heap),
        format_(format.as_text()),
        markup_(format.is_markup()),
        arguments_(arguments),
        is_tuple_(arguments.is_list() && arguments.as_list().is_tuple()),
        is_mapping_(arguments.is_dict() || arguments.is_undefined() ||
                    (arguments.is_list() && !is_tuple_)) {}

  Value run() {
    std::string out;
    while (true) {
      const std::size_t percent = format_.find('%', place_);
      heap_.append(out, format_.substr(place_, percent - place_));
      if (percent == std::string_view::npos) break;
      place_ = percent + 1;
      heap_.append(out, one());
    }
    const std::size_t count = is_tuple_ ? arguments_.as_list().items.size() : 1;
    if (next_ < count && !is_mapping_ && (is_tuple_ || !used_names_)) {
      fail_type("not all arguments converted during string formatting");
    }
    return heap_.string(std::move(out), markup_);
  }

 private:
  char peek() const {
    if (place_ >= format_.size()) fail_type("incomplete format");
    return format_[place_];
  }

  const Value& next() {
    const std::size_t count = is_tuple_ ? arguments_.as_list().items.size() : 1;
    if (next_ >= count) fail_type("not enough arguments for format string");
    return is_tuple_ ? arguments_.as_list().items[next_++] : (++next_, arguments_);
  }

  // A number in the format, or a star that takes one of the arguments.
  std::int64_t number() {
    if (peek() == '*') {
      ++place_;
      const Value& value = next();
      if (!value.is_integral()) fail_type("* wants int");
      return value.as_int();
    }
    std::int64_t value = 0;
    while (peek() >= '0' && peek() <= '9') {
      value = value * 10 + (format_[place_++] - '0');
      if (value > kMaxWidth) break;
    }
    return value;
  }

  const Value* named() {
    if (peek() != '(') return nullptr;
    const std::size_t end = format_.find(')', place_);
    if (end == std::string_view::npos) fail_type("incomplete format key");
    const std::string_view name = format_.substr(place_ + 1, end - place_ - 1);
    place_ = end + 1;
    if (!arguments_.is_dict()) fail_type("format requires a mapping");
    used_names_ = true;
    const Value* found = arguments_.as_dict().find(name);
    if (found == nullptr) fail_type("no key '{}' for the format", name);
    return found;
  }

  void take_flags(FormatSpec& spec) {
    bool zero = false;
    for (;; ++place_) {
      const char c = peek();
      if (c == '-') {
        spec.align = '<';
      } else if (c == '+' || (c == ' ' && spec.sign != '+')) {
        spec.sign = c;
      } else if (c == '#') {
        spec.alternate = true;
      } else if (c == '0') {
        zero = true;
      } else if (c != ' ') {
        break;
      }
    }
    zero_ = zero && spec.align == 0;
  }

  // The character whose first byte was just taken as a type.
  [[noreturn]] void fail_unsupported() const {
    const std::size_t begin = place_ - 1;
    std::size_t end = begin;
    next_code_point(format_, end);
    fail_type("unsupported format character '{}'", format_.substr(begin, end - begin));
  }

  std::string one() {
    if (peek() == '%') {
      ++place_;
      return "%";
    }
    const Value* value = named();
    FormatSpec spec;
    take_flags(spec);
    std::int64_t width = number();
    if (width < 0) {
      spec.align = '<';
      width = width < -kMaxWidth ? kMaxWidth + 1 : -width;
    }
    std::int64_t precision = -1;
    if (peek() == '.') {
      ++place_;
      precision = number();
      if (precision < 0) precision = 0;
    }
    if (width > kMaxWidth || precision > kMaxPrecision) {
      fail(ErrorCode::kResourceExhausted, "a format asks for too many characters");
    }
    spec.width = static_cast<std::size_t>(width);
    if (precision >= 0) spec.precision = static_cast<int>(precision);
    while (peek() == 'h' || peek() == 'l' || peek() == 'L') ++place_;
    spec.type = peek();
    ++place_;
    if (spec.type == '%') return "%";
    return convert(value != nullptr ? *value : next(), spec);
  }

  std::string convert(const Value& value, FormatSpec& spec) {
    if (spec.align == 0) spec.align = '>';
    switch (spec.type) {
      case 's':
      case 'r':
      case 'a': {
        std::string text;
        if (spec.type == 's') {
          append_text(heap_, text, value);
        } else {
          append_repr(heap_, text, value);
        }
        if (markup_ && !value.is_markup()) text = escape_html(text);
        return format_text(heap_, text, spec);
      }
      case 'c':
        if (value.is_string() && count_code_points(value.as_text()) == 1) {
          spec.precision.reset();
          return format_text(heap_, value.as_text(), spec);
        }
        if (!value.is_integral()) fail_type("%c requires int or char");
        return format_integer(heap_, value.as_int(), spec);
      case 'd':
      case 'i':
      case 'u':
        return integer(value, spec, true);
      case 'x':
      case 'X':
      case 'o':
        return integer(value, spec, false);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        if (value.is_undefined()) fail_type("{}", value.undefined_message());
        if (!value.is_number()) fail_type("must be real number, not {}", type_name(value));
        fill_zeros(spec);
        return format_real(heap_, value.as_double(), spec);
      default:
        fail_unsupported();
    }
  }

  void fill_zeros(FormatSpec& spec) const {
    if (!zero_) return;
    spec.align = '=';
    spec.fill = "0";
  }

  std::string integer(const Value& value, FormatSpec& spec, bool may_be_real) {
    if (value.is_undefined()) fail_type("{}", value.undefined_message());
    fill_zeros(spec);
    if (value.is_integral()) return format_integer(heap_, value.as_int(), spec);
    if (!may_be_real || !value.is(Kind::kDouble)) {
      fail_type("%{} format: {} is required, not {}", std::string(1, spec.type),
                may_be_real ? "a real number" : "an integer", type_name(value));
    }
    const double whole = std::trunc(value.as_double());
    if (!(std::abs(whole) < 9.2e18)) fail_type("cannot convert float {} to integer", whole);
    return format_integer(heap_, static_cast<std::int64_t>(whole), spec);
  }

  static constexpr std::int64_t kMaxWidth = 1 << 24;
  static constexpr std::int64_t kMaxPrecision = 4096;

  Heap& heap_;
  std::string_view format_;
  bool markup_;
  const Value& arguments_;
  bool is_tuple_;
  bool is_mapping_;  // has a subscript, as Python sees it: may hold more than is asked for
  bool zero_ = false;
  bool used_names_ = false;
  std::size_t place_ = 0;
  std::size_t next_ = 0;
};

}  // namespace

Value percent_format(Heap& heap, const Value& format, const Value& arguments) {
  return PercentFormatter(heap, format, arguments).run();
}

}  // namespace hangar::jinja
