#include "serve/routes.h"

#include <fmt/format.h>

#include <array>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "serve/openai/api_error.h"
#include "serve/openai/chat.h"
#include "serve/openai/completions.h"
#include "serve/openai/models.h"

namespace hangar {
namespace {

// `captured` is what stands in the place of the pattern's "{id}".
using Handler = HandlerResult (*)(Gateway& gateway, const HttpRequest& request,
                                  std::string_view captured);

// For load balancers and for scripts that wait until the server answers.
HandlerResult health(Gateway& gateway, const HttpRequest& /*request*/,
                     std::string_view /*captured*/) {
  std::string_view status = gateway.draining() ? "draining" : "ok";
  for (const auto& model : gateway.models()) {
    if (model->engine().stopped()) status = "stopped";
  }
  HttpResponse response;
  response.status = status == "ok" ? 200 : 503;
  response.body = fmt::format(R"({{"status":"{}"}})", status);
  return response;
}

struct Route {
  std::string_view method;
  std::string_view pattern;
  Handler handler;
};

constexpr std::array kRoutes{
    Route{"GET", "/health", &health},
    Route{"GET", "/v1/models", &list_models},
    Route{"GET", "/v1/models/{id}", &retrieve_model},
    Route{"POST", "/v1/chat/completions", &chat_completions},
    Route{"POST", "/v1/completions", &completions},
};

// Names of models may hold slashes, so "{id}" takes all that is left.
std::optional<std::string_view> match(std::string_view pattern, std::string_view path) {
  constexpr std::string_view kCapture = "{id}";
  if (!pattern.ends_with(kCapture)) {
    return pattern == path ? std::optional<std::string_view>("") : std::nullopt;
  }
  pattern.remove_suffix(kCapture.size());
  if (!path.starts_with(pattern) || path.size() == pattern.size()) return std::nullopt;
  return path.substr(pattern.size());
}

// The path with its percent signs resolved; nullopt: the target is no address.
std::optional<std::string> path_of(std::string_view target) {
  const auto url = target.starts_with('/') ? boost::urls::parse_origin_form(target)
                                           : boost::urls::parse_absolute_uri(target);
  if (!url) return std::nullopt;
  return url->path();
}

ApiError unknown_url(const HttpRequest& request) {
  ApiError error;
  error.status = 404;
  error.message = fmt::format("Unknown request URL: {} {}. The routes are", request.method,
                              request.target.substr(0, 200));
  for (const Route& route : kRoutes) {
    error.message += fmt::format(" {} {},", route.method, route.pattern);
  }
  error.message.back() = '.';
  error.code = "unknown_url";
  return error;
}

}  // namespace

HandlerResult handle_request(Gateway& gateway, const HttpRequest& request) {
  const std::optional<std::string> path = path_of(request.target);
  if (!path) {
    ApiError error;
    error.message = "The request's target is not a valid address.";
    return error_response(error);
  }
  std::string_view method = request.method;
  if (method == "HEAD") method = "GET";
  std::string allowed;
  for (const Route& route : kRoutes) {
    const std::optional<std::string_view> captured = match(route.pattern, *path);
    if (!captured) continue;
    if (route.method == method) return route.handler(gateway, request, *captured);
    if (!allowed.empty()) allowed += ", ";
    allowed += route.method == "GET" ? "GET, HEAD" : route.method;
  }
  if (allowed.empty()) return error_response(unknown_url(request));
  ApiError error;
  error.status = 405;
  error.message =
      fmt::format("Not allowed to {} on {}; allowed: {}.", request.method, *path, allowed);
  error.code = "method_not_supported";
  HttpResponse response = error_response(error);
  response.headers.emplace_back("Allow", allowed);
  return response;
}

}  // namespace hangar
