#include "backend/plugin_loader.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <vector>

#include "backend/plugin_abi.h"

namespace hangar {
namespace {

std::vector<std::filesystem::path> folders() {
  if (const char* given = std::getenv("HANGAR_LIBRARY_PATH"); given != nullptr && *given != '\0') {
    return {given};
  }
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path beside = program.parent_path();
  // In a build folder test programs lie in bin/, the program itself at the top.
  return {beside, beside / "lib", beside.parent_path() / "lib"};
}

Result<std::filesystem::path> find_library(const std::string& library) {
  std::string looked;
  for (const std::filesystem::path& folder : folders()) {
    std::error_code error;
    std::filesystem::path path = folder / library;
    if (std::filesystem::exists(path, error)) return path;
    looked += (looked.empty() ? "" : ", ") + folder.string();
  }
  return make_error(ErrorCode::kUnsupported,
                    "{} is not here (looked in {}): this hangar was built without it, or "
                    "HANGAR_LIBRARY_PATH should name its folder",
                    library, looked);
}

struct Library {
  std::filesystem::path path;
  MakeBackendFunction make = nullptr;
};

Result<Library> open_library(const std::string& library) {
  HANGAR_TRY(const std::filesystem::path path, find_library(library));
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return make_error(ErrorCode::kUnsupported,
                      "{} cannot be loaded: {}. It needs CUDA 13's libraries (libcublasLt.so.13): "
                      "install them, or let LD_LIBRARY_PATH name their folder",
                      path.string(), why == nullptr ? "no reason given" : why);
  }
  const auto abi = reinterpret_cast<BackendAbiFunction>(::dlsym(handle, kBackendAbiSymbol));
  const auto make = reinterpret_cast<MakeBackendFunction>(::dlsym(handle, kMakeBackendSymbol));
  if (abi == nullptr || make == nullptr || std::string_view(abi()) != kBackendAbi) {
    return make_error(ErrorCode::kUnsupported,
                      "{} is of another build than this program; install both from one package",
                      path.string());
  }
  return Library{path, make};
}

}  // namespace

bool library_is_here(const std::string& library) {
  return find_library(library).has_value();
}

Result<std::filesystem::path> try_library(const std::string& library) {
  HANGAR_TRY(const Library opened, open_library(library));
  return opened.path;
}

Result<std::unique_ptr<Backend>> load_backend(const std::string& library,
                                              const BackendOptions& options) {
  HANGAR_TRY(const Library opened, open_library(library));
  Result<std::unique_ptr<Backend>> made = std::unique_ptr<Backend>();
  opened.make(options, made);
  return made;
}

}  // namespace hangar
