// WeightFile: the file whose bytes a mapping shows, to be read in pieces instead of touched page by
//   page: a page fault brings little of a cold file, and one thread takes them one after the other.
//
// Promise: behind() asks the system which file this process has mapped there and opens it; what is
//   opened is that very file, not another that has taken its name since. nullptr: the bytes are not
//   a file's, were mapped to be written, or the file cannot be found any more. A reader asks the
//   disk for just what it is to read: pieces of megabytes, of several readers at once.
// Units: bytes.
// Errors: read: kIo with the path, the place and the system's words. behind: none.
// Threads: a WeightFile is const; a reader belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"

namespace hangar::cuda {

class WeightFile {
 public:
  static std::shared_ptr<const WeightFile> behind(std::span<const std::byte> bytes);
  ~WeightFile();
  WeightFile(const WeightFile&) = delete;
  WeightFile& operator=(const WeightFile&) = delete;

  // Whether they lie in the mapping that behind() found.
  bool shows(std::span<const std::byte> bytes) const;
  // Where a byte of the mapping is in the file.
  std::uint64_t place_of(const std::byte* at) const;
  const std::string& path() const { return path_; }

 private:
  friend class WeightFileReader;
  WeightFile() = default;

  std::string path_;
  int descriptor_ = -1;
  std::uintptr_t begin_ = 0;  // of the mapping
  std::uintptr_t end_ = 0;
  std::uint64_t offset_ = 0;  // of begin_ in the file
};

class WeightFileReader {
 public:
  WeightFileReader() = default;
  ~WeightFileReader();
  WeightFileReader(const WeightFileReader&) = delete;
  WeightFileReader& operator=(const WeightFileReader&) = delete;

  // to.size() bytes from `place` on; all of them, or an error.
  Status read(const std::shared_ptr<const WeightFile>& file, std::uint64_t place,
              std::span<std::byte> to);

 private:
  void open(const std::shared_ptr<const WeightFile>& file);

  std::shared_ptr<const WeightFile> file_;  // the last one read
  int descriptor_ = -1;                     // of file_; -1: its own is used
};

}  // namespace hangar::cuda
