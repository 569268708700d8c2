// Fuzzes config.json (and, after a zero byte, generation_config.json) over a fixed set of tiny
// tensors: an error, or a model whose tensors are whole and whose layers all have their entries.
#include <spdlog/spdlog.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "formats/hf/checkpoint.h"
#include "formats/hf/test_tensors.h"

namespace {

void check(const hangar::Checkpoint& checkpoint) {
  const auto config = checkpoint.config();
  if (!config) std::abort();
  if (config->layers < 1 || config->layers > 2 || config->rope.dim > config->head_dim) std::abort();
  for (std::int32_t layer = 0; layer < config->layers; ++layer) {
    static_cast<void>(config->layer_slides(layer));
    static_cast<void>(config->layer_rotates(layer));
    static_cast<void>(config->layer_has_experts(layer));
  }
  for (const hangar::TensorView& listed : checkpoint.tensors()) {
    if (checkpoint.find(listed.name) != &listed) std::abort();
    const auto view = checkpoint.read(listed);
    if (!view) continue;  // a quantized one that does not fit together
    if (view->data.size() !=
        hangar::row_bytes(view->dtype, view->columns()) * static_cast<std::size_t>(view->rows())) {
      std::abort();
    }
  }
  if (checkpoint.metadata().empty()) std::abort();
  static_cast<void>(checkpoint.generation_defaults());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  spdlog::set_level(spdlog::level::off);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = text.find('\0');
  hangar::hf::ModelParts parts;
  parts.folder = "fuzz";
  parts.config_json = text.substr(0, cut);
  if (cut != std::string_view::npos) parts.generation_config_json = text.substr(cut + 1);
  parts.tensors = hangar::hf::tiny_tensors();
  parts.read_tokenizer = [] { return hangar::TokenizerSpec(); };
  const auto opened = hangar::hf::make_checkpoint(std::move(parts));
  if (opened) {
    check(**opened);
  } else if (opened.error().message.empty()) {
    std::abort();
  }
  return 0;
}
