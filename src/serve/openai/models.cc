#include "serve/openai/models.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <utility>

namespace hangar {

namespace json = boost::json;

namespace {

json::object model_object(const ServedModel& model) {
  json::object object;
  object["id"] = model.id();
  object["object"] = "model";
  object["created"] = model.created_unix_s();
  object["owned_by"] = "hangar";
  return object;
}

HttpResponse json_response(const json::object& object) {
  HttpResponse response;
  response.body = json::serialize(object);
  return response;
}

ApiResult<ServedModel*> known_model(const Gateway& gateway, std::string_view name) {
  // No model's name is longer, and what is shown of it in the error need not be.
  constexpr std::size_t kMaxShownBytes = 1024;
  const Result<ServedModel*> model = gateway.find(name.substr(0, kMaxShownBytes));
  if (model) return *model;
  ApiError error = api_error_of(model.error());
  error.param = "model";
  error.code = "model_not_found";
  return tl::unexpected<ApiError>(std::move(error));
}

}  // namespace

ApiResult<ServedModel*> find_model(Gateway& gateway, const std::string& name) {
  if (gateway.draining()) {
    return tl::unexpected<ApiError>(
        api_error_of({ErrorCode::kUnavailable, "the server is stopping"}));
  }
  return known_model(gateway, name);
}

HandlerResult list_models(Gateway& gateway, const HttpRequest& /*request*/,
                          std::string_view /*captured*/) {
  json::array data;
  for (const auto& model : gateway.models()) data.push_back(model_object(*model));
  json::object object;
  object["object"] = "list";
  object["data"] = std::move(data);
  return json_response(object);
}

HandlerResult retrieve_model(Gateway& gateway, const HttpRequest& /*request*/,
                             std::string_view id) {
  const ApiResult<ServedModel*> model = known_model(gateway, id);
  if (!model) return error_response(model.error());
  return json_response(model_object(**model));
}

}  // namespace hangar
