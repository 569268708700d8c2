// From tokens to the tree.
//
// Promise: Jinja2's grammar with the loop controls and transformers' {% generation %}; filters
//   and tests are looked up here, so that those we don't have are refused at load, but for those
//   right inside an `if`, which fail where they are called, as with Jinja2.
// Errors: kCorrupt for broken syntax, kUnsupported for an unknown tag, filter or test; both
//   with the line, thrown as TemplateFailure. Nesting past ast::kMaxDepth is kResourceExhausted.
// Threads: pure.
#pragma once

#include <string_view>

#include "text/jinja/ast.h"

namespace hangar::jinja {

ast::Body parse_template(std::string_view source);

}  // namespace hangar::jinja
