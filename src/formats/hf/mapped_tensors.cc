#include "formats/hf/mapped_tensors.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "formats/gguf/cursor.h"
#include "formats/hf/safetensors.h"
#include "formats/hf/strict_json.h"
#include "formats/strangers.h"

namespace hangar::hf {
namespace {

using gguf::printable;

constexpr std::string_view kSingle = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";
constexpr std::size_t kMaxIndexBytes = 100'000'000;

Error no_weights(const FolderFiles& folder) {
  const auto refuse = [&](ErrorCode code, std::string_view words) {
    return Error{code, fmt::format("{}: {}", folder.path().string(), words)};
  };
  if (folder.has("adapter_config.json")) {
    return refuse(ErrorCode::kUnsupported,
                  "holds an adapter (LoRA), not a whole model; merge it into its base model first "
                  "(in Python, PEFT's merge_and_unload, then save_pretrained)");
  }
  if (folder.has("consolidated.safetensors") || folder.has("consolidated.00.pth")) {
    return refuse(ErrorCode::kUnsupported,
                  "holds the weights in the authors' own layout (consolidated.*), which is not "
                  "read; take the version for transformers, or convert it to safetensors with it");
  }
  std::vector<std::string> names;
  for (const std::string_view extension : {".bin", ".pt", ".pth", ".pkl", ".ckpt", ".h5",
                                           ".msgpack", ".onnx", ".npz", ".pb", ".tflite"}) {
    for (std::string& name : folder.names_with(extension)) names.push_back(std::move(name));
  }
  for (const std::string& name : names) {
    if (const std::optional<Error> known = stranger_by_name(folder.path_of(name))) return *known;
  }
  return refuse(ErrorCode::kNotFound,
                "has no weights: model.safetensors, or "
                "model.safetensors.index.json and its shards, expected");
}

// The folder's one .safetensors file that goes by another name.
Result<std::string> only_file(const FolderFiles& folder) {
  std::vector<std::string> names = folder.names_with(".safetensors");
  std::erase_if(names, [](const std::string& name) {
    return name.starts_with("consolidated") || name.starts_with("adapter_");
  });
  if (names.empty()) return tl::unexpected<Error>(no_weights(folder));
  // One shard of several, left alone, is no whole model.
  const bool shard =
      names[0].find("-of-") != std::string::npos && !names[0].ends_with("-of-00001.safetensors");
  if (names.size() == 1 && !shard) return names[0];
  return make_error(ErrorCode::kNotFound,
                    "{}: {} is missing; it says which of these files holds which tensor: {}",
                    folder.path().string(), kIndex, fmt::join(names, ", "));
}

}  // namespace

Result<std::unique_ptr<MappedTensors>> MappedTensors::open_folder(const FolderFiles& folder) {
  auto tensors = std::make_unique<MappedTensors>();
  if (!folder.has(kSingle)) {
    HANGAR_TRY(const std::optional<std::string> index,
               folder.read_optional(kIndex, kMaxIndexBytes));
    if (index) {
      HANGAR_CHECK_OK(tensors->add_shards(folder, *index, folder.path_of(kIndex).string()));
      HANGAR_CHECK_OK(tensors->finish());
      return tensors;
    }
  }
  std::string name(kSingle);
  if (!folder.has(kSingle)) {
    HANGAR_TRY(name, only_file(folder));
  }
  HANGAR_TRY(const std::filesystem::path path, folder.find(name));
  HANGAR_TRY(MappedFile file, MappedFile::open(path));
  HANGAR_CHECK_OK(tensors->add_file(std::move(file), path));
  HANGAR_CHECK_OK(tensors->finish());
  return tensors;
}

Result<std::unique_ptr<MappedTensors>> MappedTensors::open_file(MappedFile file) {
  auto tensors = std::make_unique<MappedTensors>();
  const std::filesystem::path path = file.path();
  HANGAR_CHECK_OK(tensors->add_file(std::move(file), path));
  HANGAR_CHECK_OK(tensors->finish());
  return tensors;
}

const RawTensor* MappedTensors::find(std::string_view name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : it->second;
}

std::vector<std::filesystem::path> MappedTensors::files() const {
  std::vector<std::filesystem::path> out;
  for (const MappedFile& file : files_) out.push_back(file.path());
  return out;
}

std::uint64_t MappedTensors::file_bytes() const {
  std::uint64_t bytes = 0;
  for (const MappedFile& file : files_) bytes += file.bytes().size();
  return bytes;
}

Status MappedTensors::add_file(MappedFile file, const std::filesystem::path& path) {
  // Only what does not look right: a header's length may begin as another format's magic does.
  if (!looks_like_safetensors(file.bytes())) {
    const std::optional<Error> stranger = stranger_by_content(file.bytes(), path);
    if (stranger) return tl::unexpected<Error>(*stranger);
  }
  HANGAR_TRY(SafetensorsFile parsed, parse_safetensors(file.bytes(), path.string()));
  if (files_.empty()) metadata_ = std::move(parsed.metadata);
  owner_.insert(owner_.end(), parsed.tensors.size(), path);
  std::move(parsed.tensors.begin(), parsed.tensors.end(), std::back_inserter(tensors_));
  files_.push_back(std::move(file));
  return {};
}

Status MappedTensors::add_shards(const FolderFiles& folder, std::string_view index_json,
                                 const std::string& index_path) {
  HANGAR_TRY(const boost::json::object index, parse_object(index_json, index_path));
  const boost::json::value* map = index.if_contains("weight_map");
  if (map == nullptr || !map->is_object() || map->get_object().empty()) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: 'weight_map' is missing, an object of tensor names and shards expected",
                      index_path);
  }
  std::map<std::string, std::vector<std::string_view>> tensors_of_shard;
  for (const auto& member : map->get_object()) {
    if (!member.value().is_string()) {
      return make_error(ErrorCode::kCorrupt, "{}: weight_map: '{}' is not mapped to a file name",
                        index_path, printable(member.key(), 200));
    }
    tensors_of_shard[std::string(member.value().get_string())].push_back(member.key());
  }
  for (const auto& [shard, names] : tensors_of_shard) {
    Result<std::filesystem::path> path = folder.find(shard);
    if (!path) {
      return with_context(std::move(path.error()),
                          fmt::format("{}: shard '{}'", index_path, printable(shard, 200)));
    }
    HANGAR_TRY(MappedFile file, MappedFile::open(*path));
    const std::size_t first = tensors_.size();
    HANGAR_CHECK_OK(add_file(std::move(file), *path));
    std::vector<std::string_view> found;
    for (std::size_t i = first; i < tensors_.size(); ++i) found.push_back(tensors_[i].name);
    std::sort(found.begin(), found.end());
    for (const std::string_view name : names) {
      if (std::binary_search(found.begin(), found.end(), name)) continue;
      return make_error(ErrorCode::kCorrupt, "{}: tensor '{}' should be in {}, which lacks it",
                        index_path, printable(name, 200), printable(shard, 200));
    }
  }
  return {};
}

Status MappedTensors::finish() {
  index_.reserve(tensors_.size());
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const auto [it, added] = index_.emplace(tensors_[i].name, &tensors_[i]);
    if (added) continue;
    const auto first = static_cast<std::size_t>(it->second - tensors_.data());
    return make_error(ErrorCode::kCorrupt, "{}: tensor '{}' is in {} too", owner_[i].string(),
                      printable(tensors_[i].name, 200), owner_[first].string());
  }
  owner_.clear();
  return {};
}

}  // namespace hangar::hf
