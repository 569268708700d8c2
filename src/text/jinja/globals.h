// The functions that every template may call: range, dict, namespace, raise_exception, ...
//
// Promise: those of Jinja2 and transformers, but lipsum; the table in globals.cc is the whole list.
// Errors: raise_exception throws the template's words, verbatim.
// Threads: the table is a constant.
#pragma once

#include <string_view>

#include "text/jinja/value.h"

namespace hangar::jinja {

class Heap;

using GlobalFunction = Value (*)(Heap& heap, const Args& args);

struct Global {
  std::string_view name;
  GlobalFunction function;
};

const Global* find_global(std::string_view name);  // nullptr: there is none
Value dict_from_keys(Heap& heap, const Args& args);

}  // namespace hangar::jinja
