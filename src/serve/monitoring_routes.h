// GET /health, /readyz, /livez and /metrics: what machines that watch the server ask for.
//
// Promise: /livez is 200 as long as the io and handler threads answer. /health and /readyz are 200
//   once a token has come out of every model, and 503 with the reason while none has, while the
//   server drains, and while a model has work but no step of it has ended for the ready limit.
//   /metrics is Prometheus' text format.
// Errors: none.
// Threads: any.
#pragma once

#include <string_view>

#include "serve/gateway.h"
#include "serve/http/message.h"

namespace hangar {

HandlerResult get_health(Gateway& gateway, const HttpRequest& request, std::string_view captured);
HandlerResult get_livez(Gateway& gateway, const HttpRequest& request, std::string_view captured);
HandlerResult get_metrics(Gateway& gateway, const HttpRequest& request, std::string_view captured);

}  // namespace hangar
