// MappedTensors: all the tensors of a model folder, its shards mapped.
//
// Promise: of a folder: model.safetensors; else the shards that model.safetensors.index.json names,
//   each tensor of the index in the shard it says and no tensor in two of them; else the folder's
//   only .safetensors file.
// Errors: kNotFound (a shard, by its name), kCorrupt, kUnsupported (a folder whose weights are in
//   another format, by its name and with the way out).
// Threads: const after open.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mapped_file.h"
#include "base/result.h"
#include "formats/hf/folder_files.h"
#include "formats/hf/raw_tensors.h"

namespace hangar::hf {

class MappedTensors final : public RawTensors {
 public:
  static Result<std::unique_ptr<MappedTensors>> open_folder(const FolderFiles& folder);
  static Result<std::unique_ptr<MappedTensors>> open_file(MappedFile file);

  const RawTensor* find(std::string_view name) const override;
  std::span<const RawTensor> all() const override { return tensors_; }
  void release(std::optional<std::span<const std::byte>> part) const override {
    for (const MappedFile& file : files_) file.release(part.value_or(file.bytes()));
  }

  std::vector<std::filesystem::path> files() const;
  std::uint64_t file_bytes() const;
  // The first file's "__metadata__".
  const std::vector<std::pair<std::string, std::string>>& metadata() const { return metadata_; }

 private:
  Status add_file(MappedFile file, const std::filesystem::path& path);
  Status add_shards(const FolderFiles& folder, std::string_view index_json,
                    const std::string& index_path);
  // After the last file: the index points into tensors_.
  Status finish();

  std::vector<MappedFile> files_;
  std::vector<std::filesystem::path> owner_;  // of each tensor, until finish()
  std::vector<RawTensor> tensors_;
  std::unordered_map<std::string_view, const RawTensor*> index_;
  std::vector<std::pair<std::string, std::string>> metadata_;
};

}  // namespace hangar::hf
