#include "serve/gateway.h"

#include <fmt/ranges.h>

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

}  // namespace hangar
