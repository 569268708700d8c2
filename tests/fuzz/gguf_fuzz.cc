// Fuzzes the GGUF reader: any bytes give an error or a checkpoint that can be read to its ends.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "formats/gguf/checkpoint.h"
#include "quant/dequantize.h"

namespace {

// Reads the first and the last byte of every tensor, so that a view past the end is seen.
void touch(const hangar::Checkpoint& checkpoint) {
  unsigned sum = 0;
  for (const hangar::TensorView& view : checkpoint.tensors()) {
    if (view.data.size() != hangar::row_bytes(view.dtype, view.elements())) std::abort();
    if (checkpoint.find(view.name) != &view) std::abort();
    sum +=
        std::to_integer<unsigned>(view.data.front()) + std::to_integer<unsigned>(view.data.back());
  }
  volatile unsigned sink = sum;
  static_cast<void>(sink);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto opened = hangar::gguf::open_gguf_bytes(bytes, "fuzz.gguf");
  if (!opened) {
    if (opened.error().message.empty()) std::abort();
    return 0;
  }
  const hangar::Checkpoint& checkpoint = **opened;
  touch(checkpoint);
  static_cast<void>(checkpoint.metadata());
  static_cast<void>(checkpoint.config());
  static_cast<void>(checkpoint.tokenizer());
  static_cast<void>(checkpoint.chat_templates());
  return 0;
}
