#include "formats/gguf/architecture_facts.h"

#include <array>

namespace hangar::gguf {
namespace {

constexpr std::array kFacts = {
    ArchitectureFacts{.name = "llama", .interleaved = true},
    ArchitectureFacts{.name = "qwen2"},
    ArchitectureFacts{.name = "qwen3"},
    ArchitectureFacts{.name = "qwen3moe"},
    ArchitectureFacts{.name = "phi3"},
    ArchitectureFacts{.name = "smollm3", .interleaved = true, .unrotated_every = 4},
    ArchitectureFacts{.name = "gemma", .gate = GateFunction::kGeluTanh},
    ArchitectureFacts{.name = "gemma2",
                      .gate = GateFunction::kGeluTanh,
                      .full_attention_every = 2,
                      .hidden_scaled_layers = 46},
    ArchitectureFacts{.name = "gemma3",
                      .gate = GateFunction::kGeluTanh,
                      .full_attention_every = 6,
                      .sliding_rope_base = 10000.0F,
                      .hidden_scaled_layers = 62},
};

}  // namespace

const ArchitectureFacts* facts_of(std::string_view architecture) {
  for (const ArchitectureFacts& facts : kFacts) {
    if (facts.name == architecture) return &facts;
  }
  return nullptr;
}

}  // namespace hangar::gguf
