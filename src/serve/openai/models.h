// GET /v1/models and GET /v1/models/{id}.
//
// Promise: OpenAI's shapes; ids are the names that requests use as "model".
// Errors: 404 in the envelope, with the names there are.
// Threads: any.
#pragma once

#include <string_view>

#include "serve/gateway.h"
#include "serve/http/message.h"
#include "serve/openai/api_error.h"

namespace hangar {

HandlerResult list_models(Gateway& gateway, const HttpRequest& request, std::string_view captured);
HandlerResult retrieve_model(Gateway& gateway, const HttpRequest& request, std::string_view id);

// The model a request names; 503 while the door is closing.
ApiResult<ServedModel*> find_model(Gateway& gateway, const std::string& name);

}  // namespace hangar
