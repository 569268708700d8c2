#include "bench/http/url.h"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <cstdint>

namespace hangar::bench {
namespace {

bool is_default_port(const ServerUrl& url) {
  return url.port == (url.tls ? "443" : "80");
}

bool is_port(std::string_view text) {
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number > 0;
}

void drop_end(std::string& text, std::string_view end) {
  if (text.ends_with(end)) text.resize(text.size() - end.size());
}

}  // namespace

Result<ServerUrl> ServerUrl::parse(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' is no address of a server: {} (as in http://127.0.0.1:8000)", text,
                      why);
  };
  const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
  if (!parsed) return refuse("it does not read as a URL");
  const boost::urls::url_view& view = *parsed;
  ServerUrl url;
  if (view.scheme() == "https") {
    url.tls = true;
  } else if (view.scheme() != "http") {
    return refuse("it begins with neither http:// nor https://");
  }
  if (view.host_address().empty()) return refuse("it names no host");
  if (view.has_userinfo()) return refuse("a user in it is not sent; see --api-key");
  if (view.has_query() || view.has_fragment()) return refuse("it has a query or a fragment");
  url.host = view.host_address();
  url.port = view.has_port() ? std::string(view.port()) : (url.tls ? "443" : "80");
  if (!is_port(url.port)) return refuse("its port is none");
  url.path = std::string(view.encoded_path());
  while (url.path.ends_with('/')) url.path.pop_back();
  drop_end(url.path, "/v1");
  while (url.path.ends_with('/')) url.path.pop_back();
  return url;
}

std::string ServerUrl::api_path(std::string_view rest) const {
  return fmt::format("{}/v1{}", path, rest);
}
std::string ServerUrl::root_path(std::string_view rest) const {
  return fmt::format("{}{}", path, rest);
}

std::string ServerUrl::host_header() const {
  const bool ip6 = host.find(':') != std::string::npos;
  const std::string name = ip6 ? "[" + host + "]" : host;
  return is_default_port(*this) ? name : name + ":" + port;
}

std::string ServerUrl::text() const {
  return fmt::format("{}://{}{}", tls ? "https" : "http", host_header(), path);
}

}  // namespace hangar::bench
