# Compiler settings: C++20, warnings are errors for our own code, sanitizers by preset.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

option(HANGAR_TESTS "Build the tests" ON)
option(HANGAR_BENCH "Build the micro-benchmarks" OFF)
option(HANGAR_ONLY_BACKEND "Stop at the backends: base, tensor, quant, backend and their tests" OFF)
option(HANGAR_FUZZ "Build the libFuzzer targets (needs clang)" OFF)
set(HANGAR_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize: address,undefined or thread")

# Release keeps no asserts; a plain "Dev" build is quick to make and keeps them.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEV "-O1")
set(CMAKE_CXX_FLAGS_SANITIZE "-O1 -g1 -fno-omit-frame-pointer")

add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wall$<SEMICOLON>-Wextra$<SEMICOLON>-Wconversion$<SEMICOLON>-Wshadow$<SEMICOLON>-Werror>)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  # Products and sums round as they are written, as on x86-64, whose baseline has no fused ones:
  # what a file's numbers are must not depend on the machine. Kernels ask for fused ones by name.
  add_compile_options(-ffp-contract=off)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # libstdc++ 12's own stable_sort calls what it has deprecated.
  add_compile_options(-Wno-deprecated-declarations)
endif()
if(HANGAR_SANITIZE)
  add_compile_options(-fsanitize=${HANGAR_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${HANGAR_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND HANGAR_SANITIZE MATCHES "thread")
    add_compile_options(-Wno-error=tsan)
  endif()
endif()
if(HANGAR_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
