#include "text/portable_expression.h"

#include <fmt/format.h>

#include <cstddef>
#include <utility>
#include <vector>

#include "text/expression_classes.h"
#include "text/shown.h"

namespace hangar {
namespace {

constexpr std::string_view kAnyCharacter = "(?s:.)";
constexpr int kMaxDepth = 50;  // of sets inside sets

// A set of characters: what PCRE2 can write between brackets, and expressions of one character.
struct Set {
  std::string items;
  std::vector<std::string> others;
  bool negated = false;
};

std::string written(const Set& set) {
  if (set.others.empty() && !set.items.empty()) {
    return fmt::format("[{}{}]", set.negated ? "^" : "", set.items);
  }
  std::string all = set.items.empty() ? std::string() : fmt::format("[{}]", set.items);
  for (const std::string& other : set.others) {
    if (!all.empty()) all += '|';
    all += other;
  }
  if (all.empty()) all = "(?!)";
  return set.negated ? fmt::format("(?:(?!{}){})", all, kAnyCharacter) : fmt::format("(?:{})", all);
}

class Translator {
 public:
  explicit Translator(std::string_view expression) : whole_(expression), rest_(expression) {}

  Result<std::string> translate() {
    while (!rest_.empty()) HANGAR_CHECK_OK(step());
    return std::move(out_);
  }

 private:
  Status step();
  Status group();
  void repetition();
  Result<Set> set(int depth);
  Result<Set> set_members(int depth);
  Result<bool> class_escape(Set& into);
  std::string escape();

  tl::unexpected<Error> unsupported(std::string_view what) const {
    return make_error(ErrorCode::kUnsupported, "the expression \"{}\" is not supported: {}",
                      shown(whole_), what);
  }
  std::string_view take(std::size_t bytes) {
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  void atom(std::string_view text) {
    atom_begin_ = out_.size();
    out_ += text;
  }

  std::string_view whole_;
  std::string_view rest_;
  std::string out_;
  std::size_t atom_begin_ = 0;       // in out_: what a repetition repeats
  std::vector<std::size_t> groups_;  // where each open group begins
};

// "\n", "\x41", "é": one character, its spelling kept where PCRE2 knows it.
std::string Translator::escape() {
  if (rest_.starts_with("\\u") && rest_.size() >= 6) {
    take(2);
    return fmt::format("\\x{{{}}}", take(4));
  }
  std::size_t bytes = rest_[0] == '\\' && rest_.size() > 1 ? 2 : 1;
  const auto lead = static_cast<unsigned char>(rest_[bytes - 1]);
  if (lead >= 0xC0) bytes += lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  if (rest_.starts_with("\\x{")) {
    const std::size_t end = rest_.find('}');
    if (end != std::string_view::npos) bytes = end + 1;
  } else if (rest_.starts_with("\\x")) {
    while (bytes < 4 && bytes < rest_.size() &&
           std::string_view("0123456789abcdefABCDEF").find(rest_[bytes]) !=
               std::string_view::npos) {
      ++bytes;
    }
  }
  return std::string(take(bytes));
}

// \s, \W, \p{..}: adds it to a set; false where none is next.
Result<bool> Translator::class_escape(Set& into) {
  if (rest_.size() < 2 || rest_[0] != '\\') return false;
  std::string members;
  bool negated = false;
  switch (rest_[1]) {
    case 's':
    case 'S':
      members = space_members();
      negated = rest_[1] == 'S';
      break;
    case 'w':
    case 'W':
      members = word_members();
      negated = rest_[1] == 'W';
      break;
    case 'd':
    case 'D':
      members = property_members("Nd");
      negated = rest_[1] == 'D';
      break;
    case 'h':
    case 'H':
      members = "0-9a-fA-F";
      negated = rest_[1] == 'H';
      break;
    case 'p':
    case 'P': {
      const std::size_t end = rest_.find('}');
      if (!rest_.substr(2).starts_with('{') || end == std::string_view::npos) {
        return unsupported("\\p without {name}");
      }
      std::string_view name = rest_.substr(3, end - 3);
      negated = rest_[1] == 'P';
      if (name.starts_with('^')) {
        negated = !negated;
        name.remove_prefix(1);
      }
      members = property_members(name);
      if (members.empty()) members = fmt::format("\\p{{{}}}", name);
      take(end - 1);
      break;
    }
    default:
      return false;
  }
  take(2);
  if (negated) {
    into.others.push_back(fmt::format("[^{}]", members));
  } else {
    into.items += members;
  }
  return true;
}

// What stands up to "&&" or the closing bracket, which stay.
Result<Set> Translator::set_members(int depth) {
  Set members;
  for (bool first = true; !rest_.empty(); first = false) {
    if (rest_.starts_with("&&") || (rest_[0] == ']' && !first)) return members;
    if (rest_.starts_with("[:")) {
      const std::size_t end = rest_.find(":]");
      if (end == std::string_view::npos) return unsupported("a set does not end");
      members.items += take(end + 2);
      continue;
    }
    if (rest_[0] == '[') {
      HANGAR_TRY(const Set inner, set(depth + 1));
      if (inner.others.empty() && !inner.negated) {
        members.items += inner.items;
      } else {
        members.others.push_back(written(inner));
      }
      continue;
    }
    HANGAR_TRY(const bool is_class, class_escape(members));
    if (is_class) {
      if (rest_.starts_with('-')) members.items += fmt::format("\\{}", take(1));  // no range
      continue;
    }
    if (rest_[0] == ']') members.items += '\\';  // the first: itself
    members.items += escape();
  }
  return unsupported("a set does not end");
}

// "[...]", with the brackets.
Result<Set> Translator::set(int depth) {
  if (depth > kMaxDepth) return unsupported("sets are too deep inside each other");
  take(1);
  const bool negated = rest_.starts_with('^');
  if (negated) take(1);
  HANGAR_TRY(Set all, set_members(depth));
  while (rest_.starts_with("&&")) {
    take(2);
    HANGAR_TRY(const Set more, set_members(depth));
    Set both;
    both.others.push_back(fmt::format("(?={}){}", written(more), written(all)));
    all = std::move(both);
  }
  if (!rest_.starts_with(']')) return unsupported("a set does not end");
  take(1);
  all.negated = negated;
  return all;
}

// "(": the letters of options differ, "m" here lets a dot match a new line.
Status Translator::group() {
  groups_.push_back(out_.size());
  if (rest_.starts_with("(?~")) return unsupported("an absent operator");
  if (!rest_.starts_with("(?")) {
    out_ += take(1);
    return {};
  }
  out_ += take(2);
  const std::size_t end = rest_.find_first_not_of("imx-");
  if (end == std::string_view::npos || (rest_[end] != ':' && rest_[end] != ')')) return {};
  for (const char letter : take(end)) out_ += letter == 'm' ? 's' : letter;
  return {};
}

// "{n,m}": without an end from 0, and what follows does not belong to it, as in Ruby.
void Translator::repetition() {
  const std::size_t end = rest_.find('}');
  const std::string_view inside =
      end == std::string_view::npos ? std::string_view() : rest_.substr(1, end - 1);
  if (inside.empty() || inside == "," ||
      inside.find_first_not_of("0123456789,") != std::string_view::npos) {
    atom("\\{");
    take(1);
    return;
  }
  take(end + 1);
  if (out_.size() == atom_begin_) return;
  out_ += fmt::format("{{{}{}}}", inside.starts_with(',') ? "0" : "", inside);
  const bool exact = inside.find(',') == std::string_view::npos;
  if (rest_.starts_with('+') || (exact && rest_.starts_with('?'))) {
    out_.insert(atom_begin_, "(?:");
    out_ += ')';
  }
}

Status Translator::step() {
  switch (rest_[0]) {
    case '(':
      return group();
    case ')':
      out_ += take(1);
      if (!groups_.empty()) {
        atom_begin_ = groups_.back();
        groups_.pop_back();
      }
      return {};
    case '[': {
      HANGAR_TRY(const Set found, set(0));
      atom(written(found));
      return {};
    }
    case '{':
      repetition();
      return {};
    case '?':
    case '*':
    case '+':
    case '|':
      out_ += take(1);
      return {};
    default:
      break;
  }
  Set found;
  HANGAR_TRY(const bool is_class, class_escape(found));
  if (is_class) {
    atom(found.others.empty() ? written(found) : found.others.front());
  } else if (rest_.starts_with("\\b") || rest_.starts_with("\\B")) {
    const bool inside = take(2)[1] == 'B';
    const std::string_view word = word_members();
    atom(inside ? fmt::format("(?:(?<=[{0}])(?=[{0}])|(?<![{0}])(?![{0}]))", word)
                : fmt::format("(?:(?<=[{0}])(?![{0}])|(?<![{0}])(?=[{0}]))", word));
  } else if (rest_.starts_with("\\O")) {
    take(2);
    atom(kAnyCharacter);
  } else {
    atom(escape());
  }
  return {};
}

}  // namespace

Result<std::string> portable_expression(std::string_view expression) {
  return Translator(expression).translate();
}

}  // namespace hangar
