// GGUF checkpoints: from a path, or from bytes in memory (tests and the fuzzer).
//
// Promise: as formats/checkpoint.h; the first file of a split model opens them all.
// Errors: kCorrupt, kUnsupported, kNotFound (a missing part, by its name), kInvalidArgument (a part
//   that is not the first).
// Threads: const after open.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "base/mapped_file.h"
#include "base/result.h"
#include "formats/checkpoint.h"

namespace hangar::gguf {

bool has_gguf_magic(std::span<const std::byte> bytes);

Result<std::unique_ptr<Checkpoint>> open_gguf(MappedFile first);
// One file that lies in memory and outlives the checkpoint; a part of a split model is refused.
Result<std::unique_ptr<Checkpoint>> open_gguf_bytes(std::span<const std::byte> bytes,
                                                    std::string_view name);

}  // namespace hangar::gguf
