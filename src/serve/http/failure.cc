#include "serve/http/failure.h"

#include <fmt/format.h>

#include <utility>

#include "serve/openai/api_error.h"

namespace hangar {

HttpResponse failure_response(int status, std::string message) {
  ApiError error;
  error.status = status;
  error.message = std::move(message);
  if (status >= 500 && status != 501 && status != 505) error.type = "server_error";
  return error_response(error);
}

HttpResponse stopping_response() {
  return failure_response(503, "the server is stopping");
}

std::string seconds_text(std::int64_t time_us) {
  return fmt::format("{:g} s", static_cast<double>(time_us) / 1e6);
}

}  // namespace hangar
