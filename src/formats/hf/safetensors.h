// One .safetensors file: its header, checked, and a view on each tensor.
//
// Promise: after parse every tensor's data lies inside `bytes` and is as long as its shape and type
//   call for; together the tensors cover the data section from its first byte to its last, without
//   a hole or an overlap, as the format demands. Names come once each.
// Format: 8 bytes little-endian length of the header, the header (a JSON object: name -> dtype,
//   shape, data_offsets; "__metadata__": strings), the data.
// Errors: kCorrupt (file, tensor, what was found), kUnsupported (a dtype that raw_tensors.h lacks,
//   by its name). Memory taken is bounded by a small multiple of the header's bytes.
// Lifetime: `bytes` must outlive the file's tensors.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "formats/hf/raw_tensors.h"

namespace hangar::hf {

struct SafetensorsFile {
  std::vector<RawTensor> tensors;  // by their place in the file
  std::vector<std::pair<std::string, std::string>> metadata;
};

// Whether the first bytes look like the format's: a length that fits and a '{'.
bool looks_like_safetensors(std::span<const std::byte> bytes);
// `name` is the path, for errors.
Result<SafetensorsFile> parse_safetensors(std::span<const std::byte> bytes, std::string_view name);

// "BF16"
std::string_view safetensors_type_name(RawType type);
std::size_t safetensors_type_bytes(RawType type);

}  // namespace hangar::hf
