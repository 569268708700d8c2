// FileStamp: by what a file is known again without reading all of it.
//
// Promise: two stamps are of the same contents if the files' names, sizes, times and samples are
//   equal: the sample is a hash of the first 1 MiB (headers, tables of tensors, vocabularies), of
//   the last 64 KiB and of 64 pieces of 4 KiB in between. Who writes to a file or replaces it
//   changes its time; who gives it its old time back, as copying tools do, would have to keep all
//   the samples too: other weights of the same shapes do not.
//   The inode does not count: the same image has another one on each host. Times count in
//   nanoseconds where both have them; archives and image layers keep seconds.
// Errors: kIo and kNotFound with the path.
// Threads: pure but for reading the files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace hangar {

struct FileStamp {
  std::string name;  // without its folder
  std::uint64_t bytes = 0;
  std::int64_t time_s = 0;
  std::int64_t time_ns = 0;
  std::uint64_t sample = 0;
};

Result<FileStamp> stamp_file(const std::filesystem::path& path);
// Of a model's files, and of the config.json and its like beside the first, which say how tensors
// are read.
Result<std::vector<FileStamp>> stamp_model(std::span<const std::filesystem::path> files);
// "" or how `now` differs from what was: "model.gguf: its size".
std::string difference(std::span<const FileStamp> was, std::span<const FileStamp> now);

}  // namespace hangar
