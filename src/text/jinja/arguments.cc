#include "text/jinja/arguments.h"

#include <algorithm>

#include "text/jinja/error.h"

namespace hangar::jinja {

Arguments::Arguments(const Args& args, std::string_view function,
                     std::initializer_list<std::string_view> names, std::size_t required)
    : function_(function), names_(names), values_(names.size(), nullptr) {
  if (args.positional.size() > values_.size()) {
    fail_type("{}() takes at most {} arguments ({} given)", function, values_.size(),
              args.positional.size());
  }
  for (std::size_t i = 0; i < args.positional.size(); ++i) values_[i] = &args.positional[i];
  for (const auto& [name, value] : args.named) {
    const auto place = std::find(names_.begin(), names_.end(), name);
    if (place == names_.end()) {
      fail_type("{}() got an unexpected keyword argument '{}'", function, name);
    }
    const auto index = static_cast<std::size_t>(place - names_.begin());
    if (values_[index] != nullptr) {
      fail_type("{}() got multiple values for argument '{}'", function, name);
    }
    values_[index] = &value;
  }
  for (std::size_t i = 0; i < required; ++i) {
    if (values_[i] == nullptr) {
      fail_type("{}() missing required argument '{}'", function, names_[i]);
    }
  }
}

Value Arguments::value_or(std::size_t index, const Value& otherwise) const {
  return has(index) ? at(index) : otherwise;
}

bool Arguments::truth_or(std::size_t index, bool otherwise) const {
  return has(index) ? is_true(at(index)) : otherwise;
}

std::int64_t Arguments::integer(std::size_t index) const {
  if (at(index).is_undefined()) fail_type("{}", at(index).undefined_message());
  if (!at(index).is_integral()) {
    fail_type("{}(): argument '{}' must be an integer, not {}", function_, names_[index],
              type_name(at(index)));
  }
  return at(index).as_int();
}

std::int64_t Arguments::integer_or(std::size_t index, std::int64_t otherwise) const {
  return has(index) ? integer(index) : otherwise;
}

std::string_view Arguments::text(std::size_t index) const {
  if (at(index).is_undefined()) fail_type("{}", at(index).undefined_message());
  if (!at(index).is_string()) {
    fail_type("{}(): argument '{}' must be str, not {}", function_, names_[index],
              type_name(at(index)));
  }
  return at(index).as_text();
}

}  // namespace hangar::jinja
