// The list of checkpoint formats: those that are read, and those that are known and refused by
// name.
#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/mapped_file.h"
#include "formats/checkpoint.h"
#include "formats/gguf/checkpoint.h"
#include "formats/gguf/cursor.h"

namespace hangar {
namespace {

struct FileFormat {
  bool (*matches)(std::span<const std::byte> bytes);
  Result<std::unique_ptr<Checkpoint>> (*open)(MappedFile file);
};

// A new format of files: one line here.
constexpr std::array kFileFormats = {
    FileFormat{gguf::has_gguf_magic, gguf::open_gguf},
};

// What else people have at hand, told by its first bytes.
struct KnownStranger {
  std::string_view magic;
  ErrorCode code;
  std::string_view words;
};
using namespace std::string_view_literals;
constexpr std::array kStrangers = {
    KnownStranger{"PK\x03\x04"sv, ErrorCode::kUnsupported,
                  "is a PyTorch (pickle) checkpoint, which is not supported; convert it to GGUF"},
    KnownStranger{"\x80\x02"sv, ErrorCode::kUnsupported,
                  "is a Python pickle, which is not supported; convert the model to GGUF"},
    KnownStranger{"\x89HDF"sv, ErrorCode::kUnsupported,
                  "is an HDF5 file, which is not supported; convert the model to GGUF"},
    KnownStranger{"lmgg"sv, ErrorCode::kUnsupported,
                  "is a GGML file from before GGUF, which is not supported; convert it to GGUF"},
    KnownStranger{"fmgg"sv, ErrorCode::kUnsupported,
                  "is a GGML file from before GGUF, which is not supported; convert it to GGUF"},
    KnownStranger{"tjgg"sv, ErrorCode::kUnsupported,
                  "is a GGML file from before GGUF, which is not supported; convert it to GGUF"},
    KnownStranger{"algg"sv, ErrorCode::kUnsupported,
                  "is a GGML adapter from before GGUF, which is not supported"},
    KnownStranger{"version https://git-lfs"sv, ErrorCode::kCorrupt,
                  "is a Git LFS pointer, not the model itself; fetch it with `git lfs pull`"},
    KnownStranger{"<!DOCTYPE"sv, ErrorCode::kCorrupt,
                  "is a web page, not a model; was the download refused?"},
};

// An 8-byte length, then a JSON object.
bool is_safetensors(std::string_view head, std::size_t file_bytes) {
  if (head.size() < 9 || head[8] != '{') return false;
  std::uint64_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = length << 8U | static_cast<unsigned char>(head[i]);
  return length >= 2 && length <= file_bytes - 8;
}

Error stranger(std::span<const std::byte> bytes, const std::string& path) {
  const auto text = [&](std::string_view words) { return fmt::format("{}: {}", path, words); };
  if (bytes.empty()) return {ErrorCode::kCorrupt, text("is empty (0 bytes)")};
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                              std::min<std::size_t>(bytes.size(), 64));
  for (const KnownStranger& known : kStrangers) {
    if (head.starts_with(known.magic)) return {known.code, text(known.words)};
  }
  if (std::string_view("GGUF").starts_with(head)) {
    return {ErrorCode::kCorrupt,
            text(fmt::format("is cut short: {} bytes of a GGUF file", bytes.size()))};
  }
  if (is_safetensors(head, bytes.size())) {
    return {ErrorCode::kUnsupported,
            text("is a safetensors file; Hugging Face models are not supported yet, give a .gguf "
                 "file")};
  }
  return {ErrorCode::kUnsupported,
          text(fmt::format("is no model file this program knows (it starts with '{}', 'GGUF' "
                           "expected)",
                           gguf::printable(head.substr(0, 4))))};
}

Error folder(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::exists(path / "config.json", error)) {
    return {ErrorCode::kUnsupported,
            fmt::format("{}: Hugging Face folders are not supported yet; give a .gguf file",
                        path.string())};
  }
  std::vector<std::string> inside;
  for (std::filesystem::directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() == ".gguf") inside.push_back(it->path().filename().string());
  }
  std::sort(inside.begin(), inside.end());
  return {ErrorCode::kUnsupported,
          inside.empty() ? fmt::format("{}: is a folder without a .gguf file; give a .gguf file",
                                       path.string())
                         : fmt::format("{}: is a folder; give one file of it: {}", path.string(),
                                       fmt::join(inside, ", "))};
}

}  // namespace

Result<std::unique_ptr<Checkpoint>> open_checkpoint(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return tl::unexpected<Error>(folder(path));
  HANGAR_TRY(MappedFile file, MappedFile::open(path));
  for (const FileFormat& format : kFileFormats) {
    if (format.matches(file.bytes())) return format.open(std::move(file));
  }
  return tl::unexpected<Error>(stranger(file.bytes(), path.string()));
}

}  // namespace hangar
