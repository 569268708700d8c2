// Fuzzes the safetensors header: any bytes give an error, or tensors that lie inside the bytes, as
// long as their shapes call for and one after another.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "formats/hf/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto parsed = hangar::hf::parse_safetensors(bytes, "fuzz.safetensors");
  if (!parsed) {
    if (parsed.error().message.empty()) std::abort();
    return 0;
  }
  if (!hangar::hf::looks_like_safetensors(bytes)) std::abort();
  unsigned sum = 0;
  const std::byte* at = nullptr;
  for (const hangar::hf::RawTensor& tensor : parsed->tensors) {
    std::size_t expected = hangar::hf::safetensors_type_bytes(tensor.type);
    for (const std::int64_t d : tensor.shape) expected *= static_cast<std::size_t>(d);
    if (tensor.data.size() != expected) std::abort();
    if (at != nullptr && tensor.data.data() != at) std::abort();
    at = tensor.data.data() + tensor.data.size();
    if (at > bytes.data() + bytes.size()) std::abort();
    if (!tensor.data.empty()) {
      sum += std::to_integer<unsigned>(tensor.data.front()) +
             std::to_integer<unsigned>(tensor.data.back());
    }
  }
  if (!parsed->tensors.empty() && at != bytes.data() + bytes.size()) std::abort();
  volatile unsigned sink = sum;
  static_cast<void>(sink);
  return 0;
}
