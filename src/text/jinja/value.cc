#include "text/jinja/value.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "text/jinja/object.h"
#include "text/jinja/operators.h"
#include "text/jinja/reps.h"

namespace hangar::jinja {
namespace {

// Node, key, value and place of one dict entry, about.
constexpr std::size_t kDictEntryBytes = sizeof(DictRep::Entry) + 64;

std::size_t mix(std::size_t seed, std::size_t hash) {
  return seed ^ (hash + 0x9E3779B9U + (seed << 6U) + (seed >> 2U));
}

std::size_t hash_text(std::string_view text) {
  return std::hash<std::string_view>()(text);
}

// Equal numbers hash alike, whatever their type: Python has 1 == 1.0 == True.
std::size_t hash_number(const Value& key) {
  if (key.is_integral()) return std::hash<std::int64_t>()(key.as_int());
  const double number = key.as_double();
  if (number == std::floor(number) && std::abs(number) < 9.0e18) {
    return std::hash<std::int64_t>()(static_cast<std::int64_t>(number));
  }
  return std::hash<double>()(number);
}

std::size_t hash_value(Meter& meter, const Value& key) {
  meter.step();
  switch (key.kind()) {
    case Kind::kNone:
      return 1;
    case Kind::kUndefined:
      return 2;
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kDouble:
      return hash_number(key);
    case Kind::kString:
      return hash_text(key.as_text());
    case Kind::kObject:
      return std::hash<const void*>()(key.as_object());
    case Kind::kList:
      if (key.as_list().is_tuple()) {
        std::size_t seed = key.as_list().items.size();
        for (const Value& item : key.as_list().items) seed = mix(seed, hash_value(meter, item));
        return seed;
      }
      break;
    case Kind::kDict:
      break;
  }
  fail_type("unhashable type: '{}'", type_name(key));
}

}  // namespace

Value Value::constant(std::string text) {
  return Value(std::make_shared<const StringRep>(nullptr, std::move(text), false));
}

double Value::as_double() const {
  if (is(Kind::kDouble)) return std::get<double>(rep_);
  return static_cast<double>(as_int());
}

std::int64_t Value::as_int() const {
  if (is(Kind::kBool)) return as_bool() ? 1 : 0;
  return std::get<std::int64_t>(rep_);
}

std::string_view Value::as_text() const {
  return std::get<std::shared_ptr<const StringRep>>(rep_)->text;
}

bool Value::is_markup() const {
  return is_string() && std::get<std::shared_ptr<const StringRep>>(rep_)->markup;
}

std::string_view Value::undefined_message() const {
  return std::get<std::shared_ptr<const UndefinedRep>>(rep_)->message;
}

std::uint32_t Value::depth() const {
  if (is_list()) return as_list().depth;
  if (is_dict()) return as_dict().depth();
  return 0;
}

bool is_true(const Value& value) {
  switch (value.kind()) {
    case Kind::kNone:
    case Kind::kUndefined:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return value.as_int() != 0;
    case Kind::kDouble:
      return value.as_double() != 0.0;
    case Kind::kString:
      return !value.as_text().empty();
    case Kind::kList:
      return !value.as_list().has_length() || !value.as_list().items.empty();
    case Kind::kDict:
      return !value.as_dict().entries().empty();
    case Kind::kObject:
      return true;
  }
  return true;
}

std::string_view type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::kNone:
      return "NoneType";
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kDouble:
      return "float";
    case Kind::kString:
      return value.is_markup() ? "Markup" : "str";
    case Kind::kDict:
      return "dict";
    case Kind::kObject:
      return value.as_object()->type_name();
    case Kind::kList:
      break;
  }
  switch (value.as_list().flavor) {
    case ListFlavor::kList:
      return "list";
    case ListFlavor::kTuple:
      return "tuple";
    case ListFlavor::kGroup:
      return "_GroupTuple";
    case ListFlavor::kRange:
      return "range";
    case ListFlavor::kGenerator:
      return "generator";
    case ListFlavor::kKeys:
      return "dict_keys";
    case ListFlavor::kValues:
      return "dict_values";
    case ListFlavor::kItems:
      return "dict_items";
  }
  return "list";
}

std::size_t DictRep::hash_of(const Value& key) const {
  return hash_value(meter_, key);
}

const Value* DictRep::find_hashed(const Value& key, std::size_t hash) const {
  const auto [begin, end] = index_.equal_range(hash);
  for (auto place = begin; place != end; ++place) {
    const Entry& entry = entries_[place->second];
    if (equals(meter_, entry.first, key)) return &entry.second;
  }
  return nullptr;
}

void DictRep::set(Value key, Value value) {
  const std::size_t hash = hash_of(key);
  depth_ = std::max({depth_, key.depth() + 1, value.depth() + 1});
  if (depth_ > meter_.limits().depth) {
    fail(ErrorCode::kResourceExhausted, "values nest deeper than {}", meter_.limits().depth);
  }
  if (const Value* place = find_hashed(key, hash)) {
    *const_cast<Value*>(place) = std::move(value);  // ours, and still being built
    return;
  }
  meter_.allocate(kDictEntryBytes);
  bytes_ += kDictEntryBytes;
  index_.emplace(hash, entries_.size());
  entries_.emplace_back(std::move(key), std::move(value));
}

const Value* DictRep::find(const Value& key) const {
  return find_hashed(key, hash_of(key));
}

const Value* DictRep::find(std::string_view key) const {
  meter_.step();
  const auto [begin, end] = index_.equal_range(hash_text(key));
  for (auto place = begin; place != end; ++place) {
    const Entry& entry = entries_[place->second];
    if (entry.first.is_string() && entry.first.as_text() == key) return &entry.second;
  }
  return nullptr;
}

}  // namespace hangar::jinja
