// The methods of strings, lists and dicts that a template may call.
//
// Promise: each does what Python's method of that name does; one that would change its value is
// known
//   as such, so that it can be refused.
// Errors: thrown, as the methods' own.
// Threads: the tables are constants.
#pragma once

#include <string_view>

#include "text/jinja/value.h"

namespace hangar::jinja {

class Heap;

using Method = Value (*)(Heap& heap, const Value& self, const Args& args);

// nullptr: values of this kind have no such method.
Method find_method(const Value& self, std::string_view name);
Method find_string_method(std::string_view name);
Method find_dict_method(std::string_view name);
Method find_list_method(std::string_view name);
// list.append, dict.update, ...
bool is_mutating_method(const Value& self, std::string_view name);

}  // namespace hangar::jinja
