#include "serve/routes.h"

#include <fmt/format.h>

#include <array>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "serve/metrics/route_metrics.h"
#include "serve/monitoring_routes.h"
#include "serve/openai/api_error.h"
#include "serve/openai/chat.h"
#include "serve/openai/completions.h"
#include "serve/openai/models.h"
#include "serve/openai/tokenize.h"

namespace hangar {
namespace {

// `captured` is what stands in the place of the pattern's "{id}".
using Handler = HandlerResult (*)(Gateway& gateway, const HttpRequest& request,
                                  std::string_view captured);

struct Route {
  std::string_view method;
  std::string_view pattern;
  Handler handler;
};

constexpr std::array kRoutes{
    Route{"GET", "/health", &get_health},
    Route{"GET", "/readyz", &get_health},
    Route{"GET", "/livez", &get_livez},
    Route{"GET", "/metrics", &get_metrics},
    Route{"GET", "/v1/models", &list_models},
    Route{"GET", "/v1/models/{id}", &retrieve_model},
    Route{"POST", "/v1/chat/completions", &chat_completions},
    Route{"POST", "/v1/completions", &completions},
    Route{"POST", "/tokenize", &tokenize},
    Route{"POST", "/detokenize", &detokenize},
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

// What stands in the place of a route that does not exist, in metrics.
constexpr std::string_view kNoRoute = "none";

HandlerResult route(Gateway& gateway, const HttpRequest& request, std::string_view& pattern) {
  const std::optional<std::string> path = path_of(request.target);
  if (!path) {
    ApiError error;
    error.message = "The request's target is not a valid address.";
    return error_response(error);
  }
  std::string_view method = request.method;
  if (method == "HEAD") method = "GET";
  std::string allowed;
  for (const Route& candidate : kRoutes) {
    const std::optional<std::string_view> captured = match(candidate.pattern, *path);
    if (!captured) continue;
    pattern = candidate.pattern;
    if (candidate.method == method) return candidate.handler(gateway, request, *captured);
    if (!allowed.empty()) allowed += ", ";
    allowed += candidate.method == "GET" ? "GET, HEAD" : candidate.method;
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

}  // namespace

HandlerResult handle_request(Gateway& gateway, const HttpRequest& request) {
  const std::int64_t begin_us = steady_now_us();
  std::string_view pattern = kNoRoute;
  HandlerResult result = route(gateway, request, pattern);
  RequestCount count(gateway.route_metrics().entry(request.method, pattern), begin_us);
  return count_result(std::move(count), std::move(result));
}

}  // namespace hangar
