#include "formats/hf/folder.h"

#include <optional>
#include <string>
#include <utility>

#include "formats/hf/checkpoint.h"
#include "formats/hf/folder_files.h"
#include "formats/hf/folder_templates.h"
#include "formats/hf/folder_tokenizer.h"
#include "formats/hf/mapped_tensors.h"
#include "formats/hf/model_card.h"

namespace hangar::hf {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxConfigBytes = 16U << 20U;
constexpr std::size_t kMaxCardBytes = 16U << 20U;
constexpr std::string_view kCacheName = "models--";

// The folder's name; in a hub's cache, where that is a commit's hash, the repository's.
std::string title_of(const fs::path& folder) {
  std::error_code error;
  const fs::path real = fs::canonical(folder, error);
  const std::string repository = real.parent_path().parent_path().filename().string();
  if (real.parent_path().filename() == "snapshots" && repository.starts_with(kCacheName)) {
    const std::size_t at = repository.find("--", kCacheName.size());
    return repository.substr(at == std::string::npos ? kCacheName.size() : at + 2);
  }
  return real.filename().string();
}

Result<ModelParts> read_parts(const FolderFiles& folder) {
  ModelParts parts;
  parts.folder = folder.path().string();
  parts.title = title_of(folder.path());
  HANGAR_TRY(parts.config_json, folder.read_optional("config.json", kMaxConfigBytes));
  HANGAR_TRY(parts.generation_config_json,
             folder.read_optional("generation_config.json", kMaxConfigBytes));
  for (const std::string_view name : {"quantize_config.json", "quant_config.json"}) {
    if (parts.quantization_json) break;
    parts.quantization_file = name;
    HANGAR_TRY(parts.quantization_json, folder.read_optional(name, kMaxConfigBytes));
  }
  HANGAR_TRY(parts.templates, read_chat_templates(folder));
  // A model card is for people; one that cannot be read costs only the license's name.
  const Result<std::optional<std::string>> card = folder.read_optional("README.md", kMaxCardBytes);
  if (card && *card) parts.license = license_of(**card);
  parts.read_tokenizer = [folder] { return read_folder_tokenizer(folder); };
  for (const std::string_view name :
       {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"}) {
    if (folder.has(name)) parts.files.push_back(folder.path_of(name));
  }
  return parts;
}

Result<std::unique_ptr<Checkpoint>> finish(ModelParts parts,
                                           std::unique_ptr<MappedTensors> tensors) {
  for (fs::path& path : tensors->files()) parts.files.push_back(std::move(path));
  parts.file_bytes = tensors->file_bytes();
  parts.tensor_metadata = tensors->metadata();
  parts.tensors = std::move(tensors);
  return make_checkpoint(std::move(parts));
}

bool has_weights(const FolderFiles& folder) {
  for (const std::string_view ending : {".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack",
                                        ".safetensors.index.json", ".onnx", ".ckpt"}) {
    if (!folder.names_with(ending).empty()) return true;
  }
  return false;
}

}  // namespace

bool is_model_folder(const fs::path& path) {
  const Result<FolderFiles> folder = FolderFiles::open(path);
  return folder && (folder->has("config.json") || has_tokenizer(*folder) ||
                    !folder->names_with(".safetensors").empty() || has_weights(*folder));
}

Result<std::unique_ptr<Checkpoint>> open_folder(const fs::path& path) {
  HANGAR_TRY(const FolderFiles folder, FolderFiles::open(path));
  HANGAR_TRY(ModelParts parts, read_parts(folder));
  if (!has_weights(folder) && has_tokenizer(folder)) return make_checkpoint(std::move(parts));
  HANGAR_TRY(std::unique_ptr<MappedTensors> tensors, MappedTensors::open_folder(folder));
  if (!parts.config_json) {
    return make_error(ErrorCode::kNotFound,
                      "{}: config.json is missing; it says what the tensors mean",
                      folder.path().string());
  }
  return finish(std::move(parts), std::move(tensors));
}

Result<std::unique_ptr<Checkpoint>> open_safetensors(MappedFile file) {
  const fs::path path = file.path();
  const fs::path beside = path.has_parent_path() ? path.parent_path() : fs::path(".");
  HANGAR_TRY(const FolderFiles folder, FolderFiles::open(beside));
  const std::string name = path.filename().string();
  if (name.find("-of-") != std::string::npos && !name.ends_with("-of-00001.safetensors")) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{}: is one shard of a model; open its folder instead: {}", path.string(),
                      beside.string());
  }
  HANGAR_TRY(std::unique_ptr<MappedTensors> tensors, MappedTensors::open_file(std::move(file)));
  HANGAR_TRY(ModelParts parts, read_parts(folder));
  if (!parts.config_json) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: a safetensors file holds only weights; config.json, which says what "
                      "they mean, is expected beside it",
                      path.string());
  }
  return finish(std::move(parts), std::move(tensors));
}

Result<std::unique_ptr<Checkpoint>> open_config_alone(const fs::path& path,
                                                      const RandomWeights& random) {
  std::error_code error;
  const bool is_folder = fs::is_directory(path, error);
  if (!is_folder && path.filename() != "config.json") {
    return make_error(ErrorCode::kInvalidArgument,
                      "{}: weights are made up from a config.json: name that or its folder",
                      path.string());
  }
  const fs::path beside = path.has_parent_path() ? path.parent_path() : fs::path(".");
  HANGAR_TRY(const FolderFiles folder, FolderFiles::open(is_folder ? path : beside));
  HANGAR_TRY(ModelParts parts, read_parts(folder));
  if (!parts.config_json) {
    return make_error(ErrorCode::kNotFound,
                      "{}: config.json is missing; weights are made up from it alone",
                      folder.path().string());
  }
  if (!has_tokenizer(folder)) parts.read_tokenizer = nullptr;
  parts.random = random;
  return make_checkpoint(std::move(parts));
}

}  // namespace hangar::hf
