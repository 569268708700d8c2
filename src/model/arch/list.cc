#include "model/arch/list.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/nearest.h"

namespace hangar {
namespace {

// clang-format off: one a line
constexpr std::array kArchitectures = {
    Architecture{"gemma", make_gemma},
    Architecture{"gemma2", make_gemma2},
    Architecture{"gemma3", make_gemma3},
    Architecture{"llama", make_llama},
    Architecture{"mistral", make_mistral},
    Architecture{"mixtral", make_mixtral},
    Architecture{"phi3", make_phi3},
    Architecture{"qwen2", make_qwen2},
    Architecture{"qwen3", make_qwen3},
    Architecture{"qwen3moe", make_qwen3moe},
    Architecture{"smollm3", make_smollm3},
};
// clang-format on

tl::unexpected<Error> unknown(const std::string& name) {
  std::vector<std::string> names;
  std::string listed;
  for (const Architecture& architecture : kArchitectures) {
    names.emplace_back(architecture.name);
    listed += (listed.empty() ? "" : ", ") + names.back();
  }
  const std::optional<std::string> nearest = nearest_name(name, names);
  return make_error(ErrorCode::kUnsupported,
                    "architecture \"{}\" is not supported{}; supported are: {}. "
                    "docs/adding_an_architecture.md says how to add one",
                    name, nearest ? fmt::format(" (nearest is \"{}\")", *nearest) : "", listed);
}

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
  if (architecture == nullptr) return unknown(config.architecture);
  return architecture->make({checkpoint, config, backend, limits});
}

}  // namespace hangar
