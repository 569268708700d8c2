// File: one GGUF file (version 2 or 3), parsed: its metadata and a view on each tensor.
//
// Promise: after parse every view lies inside `bytes`: metadata strings, arrays and tensor data.
//   Tensors keep the order of the file, their data is aligned within the file and does not overlap;
//   no key and no tensor name comes twice. Shapes are turned outermost first.
// Errors: kCorrupt and kUnsupported, naming the file, the field, what was found and what was
// expected.
//   Memory taken is bounded by a small multiple of the bytes parsed.
// Lifetime: `bytes` must outlive the File.
// Threads: a value, const after parse.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "formats/gguf/metadata.h"
#include "formats/gguf/value.h"
#include "tensor/tensor_view.h"

namespace hangar::gguf {

struct File {
  std::uint32_t version = 0;
  std::uint64_t alignment_bytes = 32;
  Metadata metadata;
  std::vector<TensorView> tensors;
};

// `name` is the path, for errors.
Result<File> parse_file(std::span<const std::byte> bytes, std::string_view name);

}  // namespace hangar::gguf
