// MappedFile: a whole file, read-only, in memory without being read first.
//
// Promise: bytes() is the file as it was when opened; pages come from the system's file cache.
// Errors: kNotFound, kIo (with the path and the system's words). A file cut short by another
//   process while mapped kills the reader with SIGBUS: model files are replaced by rename only.
// Threads: const after open.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "base/result.h"

namespace hangar {

class MappedFile {
 public:
  static Result<MappedFile> open(const std::filesystem::path& path);
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }

  // Takes the pages of `part`, a span of bytes(), out of this process's memory; they come back from
  // the file when they are read again. What is not in the mapping is left alone.
  void release(std::span<const std::byte> part) const;

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::filesystem::path path_;
};

// The whole of a small text file (a template, a config); refuses more than max_bytes.
Result<std::string> read_text_file(const std::filesystem::path& path, std::size_t max_bytes);

}  // namespace hangar
