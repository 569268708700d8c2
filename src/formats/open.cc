// The list of checkpoint formats.
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/mapped_file.h"
#include "formats/checkpoint.h"
#include "formats/gguf/checkpoint.h"
#include "formats/gguf/cursor.h"
#include "formats/hf/folder.h"
#include "formats/hf/safetensors.h"
#include "formats/strangers.h"

namespace hangar {
namespace {

namespace fs = std::filesystem;

struct FileFormat {
  bool (*matches)(std::span<const std::byte> bytes);
  Result<std::unique_ptr<Checkpoint>> (*open)(MappedFile file);
};

// A new format of files: one line here.
constexpr std::array kFileFormats = {
    FileFormat{gguf::has_gguf_magic, gguf::open_gguf},
    FileFormat{hf::looks_like_safetensors, hf::open_safetensors},
};

Error unknown_file(std::span<const std::byte> bytes, const fs::path& path) {
  if (const std::optional<Error> known = stranger_by_content(bytes, path)) return *known;
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                              std::min<std::size_t>(bytes.size(), 64));
  if (std::string_view("GGUF").starts_with(head)) {
    return {ErrorCode::kCorrupt,
            fmt::format("{}: is cut short: {} bytes of a GGUF file", path.string(), bytes.size())};
  }
  if (const std::optional<Error> known = stranger_by_name(path)) return *known;
  if (path.extension() == ".json") {
    return {ErrorCode::kUnsupported,
            fmt::format("{}: is no model file; give the folder it lies in", path.string())};
  }
  return {ErrorCode::kUnsupported,
          fmt::format("{}: is no model file this program knows (it starts with '{}'; a GGUF or "
                      "safetensors file, or a Hugging Face folder, expected)",
                      path.string(), gguf::printable(head.substr(0, 4)))};
}

// "model-00001-of-00003.gguf": the part's number is 1, the stem "model" and the end
// "-of-00003.gguf".
bool are_one_split_model(const std::vector<std::string>& names) {
  constexpr std::size_t kEnd = sizeof("-00001-of-00003.gguf") - 1;
  if (names.size() < 2 || names[0].size() <= kEnd) return false;
  const auto stem_of = [](const std::string& name) { return name.substr(0, name.size() - kEnd); };
  const auto total_of = [](const std::string& name) { return name.substr(name.size() - 14); };
  if (!names[0].ends_with("-00001" + total_of(names[0])) ||
      !total_of(names[0]).starts_with("-of-")) {
    return false;
  }
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return name.size() > kEnd && stem_of(name) == stem_of(names[0]) &&
           total_of(name) == total_of(names[0]);
  });
}

Result<std::unique_ptr<Checkpoint>> open_gguf_folder(const fs::path& path) {
  std::vector<std::string> inside;
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".gguf") inside.push_back(it->path().filename().string());
  }
  std::sort(inside.begin(), inside.end());
  if (inside.size() == 1 || are_one_split_model(inside)) return open_checkpoint(path / inside[0]);
  if (inside.empty()) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: is a folder without a model: a .gguf file, or config.json with "
                      "safetensors files, expected",
                      path.string());
  }
  return make_error(ErrorCode::kUnsupported, "{}: is a folder; give one file of it: {}",
                    path.string(), fmt::join(inside, ", "));
}

bool has_gguf(const fs::path& path) {
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".gguf") return true;
  }
  return false;
}

bool has_safetensors(const fs::path& path) {
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().find(".safetensors") != std::string::npos) return true;
  }
  return false;
}

// A folder with both kinds is Hugging Face's; GGUF files with a config.json beside them are not.
Result<std::unique_ptr<Checkpoint>> open_folder(const fs::path& path) {
  if (hf::is_model_folder(path) && (has_safetensors(path) || !has_gguf(path))) {
    return hf::open_folder(path);
  }
  return open_gguf_folder(path);
}

}  // namespace

Result<std::unique_ptr<Checkpoint>> open_checkpoint(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return open_folder(path);
  HANGAR_TRY(MappedFile file, MappedFile::open(path));
  for (const FileFormat& format : kFileFormats) {
    if (format.matches(file.bytes())) return format.open(std::move(file));
  }
  return tl::unexpected<Error>(unknown_file(file.bytes(), path));
}

Result<std::unique_ptr<Checkpoint>> open_dummy(const fs::path& path, const RandomWeights& random) {
  return hf::open_config_alone(path, random);
}

}  // namespace hangar
