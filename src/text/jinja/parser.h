// From tokens to the tree.
//
// Promise: Jinja2's grammar with the loop controls and transformers' {% generation %}; filters,
// tests
//   and called functions are looked up here, so that what we don't have is refused at load.
// Errors: kCorrupt for broken syntax, kUnsupported for an unknown tag, filter, test or function;
// both
//   with the line, thrown as TemplateFailure. Nesting past ast::kMaxDepth is kResourceExhausted.
// Threads: pure.
#pragma once

#include <string_view>

#include "text/jinja/ast.h"

namespace hangar::jinja {

ast::Block parse_template(std::string_view source);

}  // namespace hangar::jinja
