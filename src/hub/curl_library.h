// CurlLibrary: libcurl, loaded when it is first wanted.
//
// Promise: a command that touches no network does not load libcurl and the thirty libraries behind
// it;
//   that would double the time in which `hangar --version` answers. curl_library() loads it once
//   and gives the same functions from then on.
// Errors: kUnavailable with the loader's words where the library is not installed.
// Threads: any; the first call before other threads that use libcurl start.
#pragma once

#include <curl/curl.h>

#include "base/result.h"

namespace hangar::hub {

// Members are named as in libcurl, without "curl_".
struct CurlLibrary {
  decltype(&::curl_global_init) global_init;
  decltype(&::curl_free) free;
  decltype(&::curl_slist_append) slist_append;
  decltype(&::curl_slist_free_all) slist_free_all;
  decltype(&::curl_easy_init) easy_init;
  decltype(&::curl_easy_cleanup) easy_cleanup;
  CURLcode (*easy_setopt)(CURL*, CURLoption, ...);
  CURLcode (*easy_getinfo)(CURL*, CURLINFO, ...);
  decltype(&::curl_easy_strerror) easy_strerror;
  decltype(&::curl_multi_init) multi_init;
  decltype(&::curl_multi_cleanup) multi_cleanup;
  decltype(&::curl_multi_add_handle) multi_add_handle;
  decltype(&::curl_multi_remove_handle) multi_remove_handle;
  decltype(&::curl_multi_perform) multi_perform;
  decltype(&::curl_multi_poll) multi_poll;
  decltype(&::curl_multi_info_read) multi_info_read;
  decltype(&::curl_multi_strerror) multi_strerror;
  decltype(&::curl_url) url;
  decltype(&::curl_url_cleanup) url_cleanup;
  decltype(&::curl_url_get) url_get;
  decltype(&::curl_url_set) url_set;
};

const Result<CurlLibrary>& curl_library();

}  // namespace hangar::hub
