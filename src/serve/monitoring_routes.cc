#include "serve/monitoring_routes.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string>

#include "serve/metrics/card_families.h"
#include "serve/metrics/door_families.h"
#include "serve/metrics/family_list.h"
#include "serve/metrics/model_families.h"

namespace hangar {
namespace {

std::string_view status_word(GatewayStatus status) {
  switch (status) {
    case GatewayStatus::kReady:
      return "ok";
    case GatewayStatus::kStarting:
      return "starting";
    case GatewayStatus::kDraining:
      return "draining";
    case GatewayStatus::kStalled:
      return "stalled";
    case GatewayStatus::kStopped:
      return "stopped";
  }
  return "stopped";
}

}  // namespace

HandlerResult get_health(Gateway& gateway, const HttpRequest& /*request*/,
                         std::string_view /*captured*/) {
  const GatewayState state = gateway.state();
  boost::json::object body;
  body["status"] = status_word(state.status);
  if (!state.reason.empty()) body["reason"] = state.reason;
  HttpResponse response;
  response.status = state.status == GatewayStatus::kReady ? 200 : 503;
  response.body = boost::json::serialize(body);
  return response;
}

HandlerResult get_livez(Gateway& /*gateway*/, const HttpRequest& /*request*/,
                        std::string_view /*captured*/) {
  HttpResponse response;
  response.body = R"({"status":"alive"})";
  return response;
}

HandlerResult get_metrics(Gateway& gateway, const HttpRequest& /*request*/,
                          std::string_view /*captured*/) {
  FamilyList families;
  for (const auto& model : gateway.models()) add_model_families(*model, families);
  add_door_families(gateway, families);
  if (const CardWatch* cards = gateway.cards()) add_card_families(cards->read(), families);
  HttpResponse response;
  response.content_type = kMetricsContentType;
  response.body = families.text();
  return response;
}

}  // namespace hangar
