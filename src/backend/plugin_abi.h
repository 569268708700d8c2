// What a backend in a library of its own gives to the program that loads it.
//
// Promise: the library has two functions with C names: hangar_backend_abi() says what it was built
//   from; hangar_make_backend() makes a backend. They speak C++ to each other, so both must have
//   been built from the same headers by the same compiler: kBackendAbi says so, and a library of
//   another one is refused before anything of it is used.
// Threads: any.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "backend/backend_options.h"
#include "base/result.h"

namespace hangar {

// The version, the compiler, and a sum over the headers that both sides share.
inline constexpr const char* kBackendAbi = HANGAR_BACKEND_ABI " " __VERSION__;

using BackendAbiFunction = const char* (*)();
using MakeBackendFunction = void (*)(const BackendOptions& options,
                                     Result<std::unique_ptr<Backend>>& made);
inline constexpr const char* kBackendAbiSymbol = "hangar_backend_abi";
inline constexpr const char* kMakeBackendSymbol = "hangar_make_backend";

}  // namespace hangar
