// ServerUrl: where an OpenAI-compatible server is, as a user gives it.
//
// Promise: "http://HOST[:PORT][/PATH]" or https; the path may or may not end in /v1, with or
// without a
//   slash: api_path() has it exactly once, root_path() not at all.
// Errors: parse: kInvalidArgument: another scheme, no host, a user, a query, a port that is none.
// Threads: values.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace hangar::bench {

struct ServerUrl {
  bool tls = false;
  std::string host;  // without brackets
  std::string port;  // 80 and 443 by default
  std::string path;  // "" or "/...", neither a slash nor /v1 at its end

  static Result<ServerUrl> parse(std::string_view text);
  std::string api_path(std::string_view rest) const;   // "/v1/models" for "/models"
  std::string root_path(std::string_view rest) const;  // "/tokenize"
  std::string host_header() const;
  std::string text() const;  // "http://host:port/path"
};

}  // namespace hangar::bench
