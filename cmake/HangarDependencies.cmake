# Every library that Hangar is built from, found once. `./dev` installs them.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(tl-expected REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(HWY REQUIRED IMPORTED_TARGET libhwy)
if(HANGAR_TESTS)
  find_package(GTest REQUIRED)
endif()
if(HANGAR_ONLY_BACKEND)
  return()
endif()
find_package(Boost 1.81 REQUIRED COMPONENTS url)
find_package(CURL 7.85 REQUIRED)  # its headers: src/hub/curl_library.h loads the rest
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto SSL)
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)  # used header-only: its own library is built with exceptions
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(EDIT REQUIRED IMPORTED_TARGET libedit)
pkg_check_modules(PROMETHEUS REQUIRED IMPORTED_TARGET prometheus-cpp-core)  # no server of its own
# Becomes part of the program: reports of `hangar bench` are pages that need no network.
find_file(HANGAR_CHART_JS chart.min.js PATHS /usr/share/javascript/chart.js NO_DEFAULT_PATH REQUIRED
          DOC "Chart.js 3, minified (Debian: libjs-chart.js)")
if(HANGAR_BENCH)
  find_package(benchmark REQUIRED)
endif()
