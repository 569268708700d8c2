#include "serve/http/listener.h"

#include <fmt/format.h>

#include <boost/asio/error.hpp>

namespace hangar {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

Status open_listener(asio::io_context& io, const std::string& host, std::uint16_t port,
                     tcp::acceptor& acceptor) {
  error_code error;
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(host, std::to_string(port), tcp::resolver::passive, error);
  if (error || found.empty()) {
    return make_error(ErrorCode::kInvalidArgument, "--host {}: no such address ({})", host,
                      error.message());
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (!error) return {};
  const std::string address = fmt::format("{}:{}", host, port);
  if (error == asio::error::address_in_use) {
    return make_error(ErrorCode::kIo,
                      "{} is in use by another program; choose another port with --port", address);
  }
  if (error == asio::error::access_denied) {
    return make_error(ErrorCode::kIo, "{}: not permitted; choose a port above 1023 with --port",
                      address);
  }
  if (error == boost::system::errc::address_not_available) {
    return make_error(ErrorCode::kInvalidArgument, "--host {}: not an address of this machine",
                      host);
  }
  return make_error(ErrorCode::kIo, "cannot listen on {}: {}", address, error.message());
}

}  // namespace hangar
