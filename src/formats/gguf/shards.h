// Split GGUF files: which file of a model one is, and what the others are called.
//
// Promise: names follow NAME-00001-of-0000N.gguf, as gguf-split writes them; numbers count from 1.
// Errors: kCorrupt (split.* keys), kInvalidArgument (a file other than the first was given, or a
// name
//   that says something else than the keys).
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/result.h"
#include "formats/gguf/metadata.h"

namespace hangar::gguf {

struct SplitInfo {
  std::int64_t number = 0;   // counts from 0
  std::int64_t count = 1;    // 1: not split
  std::int64_t tensors = 0;  // of all the files together; meaningful where count > 1
};

Result<SplitInfo> read_split_info(const Metadata& metadata);
// The path of shard `number` (from 0) of the model whose first shard is `first`.
Result<std::filesystem::path> shard_path(const std::filesystem::path& first, const SplitInfo& info,
                                         std::int64_t number);
// OK where `info` is the first shard or no shard at all; else names the file to open.
Status check_is_first(const std::filesystem::path& path, const SplitInfo& info);
// Holds shard `number`'s own keys to those of the first.
Status check_shard(const Metadata& shard, const SplitInfo& first, std::int64_t number);

}  // namespace hangar::gguf
