#include "model/arch/list.h"

#include <array>
#include <string>

namespace hangar {
namespace {

constexpr std::array kArchitectures = {
    Architecture{"llama", make_llama},
};

}  // namespace

std::span<const Architecture> architectures() {
  return kArchitectures;
}

const Architecture* find_architecture(std::string_view name) {
  for (const Architecture& architecture : kArchitectures) {
    if (architecture.name == name) return &architecture;
  }
  return nullptr;
}

Result<std::unique_ptr<Model>> make_model(const Checkpoint& checkpoint, Backend& backend,
                                          const ModelLimits& limits) {
  HANGAR_TRY(const ModelConfig config, checkpoint.config());
  const Architecture* architecture = find_architecture(config.architecture);
  if (architecture == nullptr) {
    std::string known;
    for (const Architecture& a : kArchitectures) {
      known += known.empty() ? "" : ", ";
      known += a.name;
    }
    return make_error(ErrorCode::kUnsupported,
                      "architecture \"{}\" is not supported; supported are: {}. "
                      "docs/adding_an_architecture.md says how to add one",
                      config.architecture, known);
  }
  return architecture->make(checkpoint, config, backend, limits);
}

}  // namespace hangar
