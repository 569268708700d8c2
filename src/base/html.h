// Text as it stands in a page's text and in quoted attributes.
//
// Promise: &, <, >, " and ' become &amp; &lt; &gt; &#34; and &#39;, as Python's markupsafe writes
// them. Errors: none. Threads: pure function.
#pragma once

#include <string>
#include <string_view>

namespace hangar {

std::string escape_html(std::string_view text);

}  // namespace hangar
