// Scoping: which names Jinja2 takes for a scope's own from its beginning on.
//
// Promise: after mark_hidden_names each Body lists the names that its statements set before they
// read
//   them and that no scope around it speaks of: they are undefined there until they are set, also
//   where the context has such a name and a scope inside reads it earlier. A name that only an `if`
//   sets is not among them.
// Source: Jinja2's documentation says nothing of it; its compiler resolves names so.
// Threads: pure.
#pragma once

#include "text/jinja/ast.h"

namespace hangar::jinja {

void mark_hidden_names(ast::Body& root);

}  // namespace hangar::jinja
