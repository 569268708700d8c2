#include "backend/cuda/weights_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

namespace hangar::cuda {
namespace {

// A line of /proc/self/maps: "begin-end rights offset device inode path".
struct Mapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  std::string rights;
  std::uint64_t offset = 0;
  std::string identity;  // device and inode, as this list writes them
  std::string path;
};

std::optional<Mapping> parse_mapping(const std::string& line) {
  Mapping mapping;
  std::istringstream words(line);
  char dash = 0;
  std::string device;
  std::string inode;
  words >> std::hex >> mapping.begin >> dash >> mapping.end >> mapping.rights >> mapping.offset >>
      device >> inode >> std::ws;
  if (!words || dash != '-') return std::nullopt;  // without a path: no file
  std::getline(words, mapping.path);
  mapping.identity = device + " " + inode;
  return mapping;
}

std::optional<Mapping> mapping_of(const void* address) {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::optional<Mapping> mapping = parse_mapping(line);
    if (mapping && at >= mapping->begin && at < mapping->end) return mapping;
  }
  return std::nullopt;
}

// Whether `descriptor` is the file of that mapping: a page of it is mapped too, and the system must
// give both the same name. (What stat says of a file on an overlay is not what the list says.)
bool same_file(int descriptor, const Mapping& mapping) {
  const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* page = ::mmap(nullptr, page_bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (page == MAP_FAILED) return false;
  const std::optional<Mapping> own = mapping_of(page);
  ::munmap(page, page_bytes);
  return own && own->identity == mapping.identity;
}

}  // namespace

std::shared_ptr<const WeightFile> WeightFile::behind(std::span<const std::byte> bytes) {
  if (bytes.empty()) return nullptr;
  const std::optional<Mapping> mapping = mapping_of(bytes.data());
  if (!mapping || !mapping->path.starts_with('/')) return nullptr;
  // What this process may have written is its own, not the file's.
  if (mapping->rights.size() < 2 || mapping->rights[0] != 'r' || mapping->rights[1] != '-') {
    return nullptr;
  }
  std::shared_ptr<WeightFile> file(new WeightFile);
  file->path_ = mapping->path;
  file->begin_ = mapping->begin;
  file->end_ = mapping->end;
  file->offset_ = mapping->offset;
  if (!file->shows(bytes)) return nullptr;
  file->descriptor_ = ::open(mapping->path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file->descriptor_ < 0 || !same_file(file->descriptor_, *mapping)) return nullptr;
  return file;
}

WeightFile::~WeightFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool WeightFile::shows(std::span<const std::byte> bytes) const {
  const auto at = reinterpret_cast<std::uintptr_t>(bytes.data());
  return at >= begin_ && at < end_ && bytes.size() <= end_ - at;
}

std::uint64_t WeightFile::place_of(const std::byte* at) const {
  return offset_ + (reinterpret_cast<std::uintptr_t>(at) - begin_);
}

WeightFileReader::~WeightFileReader() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void WeightFileReader::open(const std::shared_ptr<const WeightFile>& file) {
  if (descriptor_ >= 0) ::close(descriptor_);
  file_ = file;
  // Not by its name, which may be another file's by now.
  const std::string link = "/proc/self/fd/" + std::to_string(file->descriptor_);
  descriptor_ = ::open(link.c_str(), O_RDONLY | O_CLOEXEC);
  // Just what is asked for, in one: what the system would read ahead is another thread's piece.
  if (descriptor_ >= 0) (void)::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_RANDOM);
}

Status WeightFileReader::read(const std::shared_ptr<const WeightFile>& file, std::uint64_t place,
                              std::span<std::byte> to) {
  if (file_ != file) open(file);
  const int descriptor = descriptor_ >= 0 ? descriptor_ : file->descriptor_;
  for (std::size_t got = 0; got < to.size();) {
    const std::uint64_t at = place + got;
    const ssize_t more =
        ::pread(descriptor, to.data() + got, to.size() - got, static_cast<off_t>(at));
    if (more < 0 && errno == EINTR) continue;
    if (more <= 0) {
      return make_error(ErrorCode::kIo, "{}: cannot read {} bytes at {}: {}", file->path(),
                        to.size() - got, at,
                        more == 0 ? "the file ends before them" : std::strerror(errno));
    }
    got += static_cast<std::size_t>(more);
  }
  return {};
}

}  // namespace hangar::cuda
