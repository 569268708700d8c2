#include "hub/curl_library.h"

#include <dlfcn.h>

#include <array>

namespace hangar::hub {
namespace {

// Of either build, with OpenSSL or GnuTLS.
constexpr std::array<const char*, 2> kNames = {"libcurl.so.4", "libcurl-gnutls.so.4"};

Result<CurlLibrary> load() {
  void* handle = nullptr;
  std::string why;
  for (const char* name : kNames) {
    if (handle != nullptr) break;
    handle = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
    const char* words = handle == nullptr && why.empty() ? ::dlerror() : nullptr;
    if (words != nullptr) why = words;
  }
  if (handle == nullptr) {
    return make_error(ErrorCode::kUnavailable,
                      "libcurl is needed to talk to a hub and cannot be loaded (install libcurl4): "
                      "{}",
                      why);
  }
  CurlLibrary library{};
  std::string missing;
  const auto find = [&]<typename Function>(const char* name, Function*& function) {
    function = reinterpret_cast<Function*>(::dlsym(handle, name));
    if (function == nullptr) missing = name;
  };
  find("curl_global_init", library.global_init);
  find("curl_free", library.free);
  find("curl_slist_append", library.slist_append);
  find("curl_slist_free_all", library.slist_free_all);
  find("curl_easy_init", library.easy_init);
  find("curl_easy_cleanup", library.easy_cleanup);
  find("curl_easy_setopt", library.easy_setopt);
  find("curl_easy_getinfo", library.easy_getinfo);
  find("curl_easy_strerror", library.easy_strerror);
  find("curl_multi_init", library.multi_init);
  find("curl_multi_cleanup", library.multi_cleanup);
  find("curl_multi_add_handle", library.multi_add_handle);
  find("curl_multi_remove_handle", library.multi_remove_handle);
  find("curl_multi_perform", library.multi_perform);
  find("curl_multi_poll", library.multi_poll);
  find("curl_multi_info_read", library.multi_info_read);
  find("curl_multi_strerror", library.multi_strerror);
  find("curl_url", library.url);
  find("curl_url_cleanup", library.url_cleanup);
  find("curl_url_get", library.url_get);
  find("curl_url_set", library.url_set);
  if (missing.empty() && library.global_init(CURL_GLOBAL_DEFAULT) == 0) return library;
  return make_error(ErrorCode::kUnavailable, "libcurl cannot be used: {}",
                    missing.empty() ? "it cannot be set up" : "it has no " + missing);
}

}  // namespace

const Result<CurlLibrary>& curl_library() {
  static const Result<CurlLibrary> library = load();
  return library;
}

}  // namespace hangar::hub
