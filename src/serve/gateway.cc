#include "serve/gateway.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/units.h"

namespace hangar {

Result<ServedModel*> Gateway::find(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const auto& model : models_) {
    if (model->id() == name) return model.get();
    names.push_back(model->id());
  }
  return make_error(ErrorCode::kNotFound, "there is no model \"{}\"; there is {}", name,
                    names.empty() ? "none" : fmt::format("\"{}\"", fmt::join(names, "\", \"")));
}

void Gateway::drain() {
  draining_.store(true);
  for (const auto& model : models_) model->engine().drain();
}

GatewayState Gateway::state() const {
  for (const auto& model : models_) {
    if (model->engine().stopped()) {
      return {GatewayStatus::kStopped, fmt::format("the engine of \"{}\" has ended", model->id())};
    }
  }
  for (const auto& model : models_) {
    const std::int64_t waited_us = model->engine().stats().waited_for_us;
    if (waited_us <= options_.ready_limit_us) continue;
    return {GatewayStatus::kStalled, fmt::format("no step of \"{}\" has ended for {}", model->id(),
                                                 format_duration(waited_us))};
  }
  if (draining()) {
    return {GatewayStatus::kDraining, "the server finishes what runs and takes nothing new"};
  }
  for (const auto& model : models_) {
    if (model->has_produced()) continue;
    return {GatewayStatus::kStarting,
            fmt::format("no token has come out of \"{}\" yet", model->id())};
  }
  return {};
}

}  // namespace hangar
