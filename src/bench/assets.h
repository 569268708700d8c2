// Files that are part of the program: made into bytes by CMake (hangar_embed in
// src/CMakeLists.txt).
//
// Promise: the bytes of the file as it was at build time.
// Threads: any.
#pragma once

#include <string_view>

namespace hangar::bench {

std::string_view chart_js();  // Debian's libjs-chart.js, minified
std::string_view page_js();   // assets/page.js
std::string_view page_css();  // assets/page.css

}  // namespace hangar::bench
