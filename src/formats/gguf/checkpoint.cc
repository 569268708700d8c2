#include "formats/gguf/checkpoint.h"

#include <cstring>
#include <utility>

#include "formats/gguf/config.h"
#include "formats/gguf/cursor.h"
#include "formats/gguf/file.h"
#include "formats/gguf/shards.h"
#include "formats/gguf/vocabulary.h"

namespace hangar::gguf {
namespace {

class GgufCheckpoint final : public Checkpoint {
 public:
  GgufCheckpoint(std::uint32_t version, Metadata metadata)
      : format_(fmt::format("GGUF v{}", version)), metadata_(std::move(metadata)) {}

  std::string_view format() const override { return format_; }
  Result<ModelConfig> config() const override { return read_config(metadata_, index_); }
  Result<TokenizerSpec> tokenizer() const override { return read_tokenizer(metadata_); }
  std::vector<ChatTemplateSource> chat_templates() const override { return templates_; }
  const std::vector<TensorView>& tensors() const override { return tensors_; }

  const TensorView* find(std::string_view name) const override {
    const auto it = index_.find(name);
    return it == index_.end() ? nullptr : it->second;
  }

  std::vector<std::pair<std::string, std::string>> metadata() const override {
    std::vector<std::pair<std::string, std::string>> out;
    out.reserve(metadata_.entries().size());
    for (const auto& [key, value] : metadata_.entries()) {
      out.emplace_back(printable(key), to_text(value));
    }
    return out;
  }

  std::vector<std::filesystem::path> files() const override {
    std::vector<std::filesystem::path> out;
    for (const MappedFile& file : files_) out.push_back(file.path());
    return out;
  }

  std::uint64_t file_bytes() const override { return bytes_; }

  void release(std::optional<std::span<const std::byte>> part) const override {
    for (const MappedFile& file : files_) file.release(part.value_or(file.bytes()));
  }

  void add_tensors(std::vector<TensorView> tensors) {
    for (TensorView& view : tensors) tensors_.push_back(std::move(view));
  }
  void keep_file(MappedFile file) { files_.push_back(std::move(file)); }
  void count_bytes(std::uint64_t bytes) { bytes_ += bytes; }

  // After the last tensor: the index points into tensors_.
  Status finish() {
    HANGAR_TRY(templates_, read_chat_templates(metadata_));
    index_.reserve(tensors_.size());
    for (const TensorView& view : tensors_) {
      if (!index_.emplace(view.name, &view).second) {
        return make_error(ErrorCode::kCorrupt, "{}: tensor '{}' is in two parts of the split model",
                          metadata_.file(), printable(view.name));
      }
    }
    return {};
  }

 private:
  std::string format_;
  Metadata metadata_;
  std::vector<MappedFile> files_;
  std::vector<TensorView> tensors_;
  TensorIndex index_;
  std::vector<ChatTemplateSource> templates_;
  std::uint64_t bytes_ = 0;
};

Status add_shards(GgufCheckpoint& checkpoint, const std::filesystem::path& first,
                  const SplitInfo& info) {
  for (std::int64_t number = 1; number < info.count; ++number) {
    HANGAR_TRY(const std::filesystem::path path, shard_path(first, info, number));
    Result<MappedFile> mapped = MappedFile::open(path);
    if (!mapped) {
      return with_context(std::move(mapped.error()),
                          fmt::format("part {} of {} of the split model", number + 1, info.count));
    }
    HANGAR_TRY(File shard, parse_file(mapped->bytes(), path.string()));
    HANGAR_CHECK_OK(check_shard(shard.metadata, info, number));
    checkpoint.add_tensors(std::move(shard.tensors));
    checkpoint.count_bytes(mapped->bytes().size());
    checkpoint.keep_file(std::move(*mapped));
  }
  const auto found = static_cast<std::int64_t>(checkpoint.tensors().size());
  if (found != info.tensors) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: metadata 'split.tensors.count': {} found, but the {} parts hold {} "
                      "tensors",
                      first.string(), info.tensors, info.count, found);
  }
  return {};
}

}  // namespace

bool has_gguf_magic(std::span<const std::byte> bytes) {
  return bytes.size() >= 4 && std::memcmp(bytes.data(), "GGUF", 4) == 0;
}

Result<std::unique_ptr<Checkpoint>> open_gguf(MappedFile first) {
  const std::filesystem::path path = first.path();
  HANGAR_TRY(File file, parse_file(first.bytes(), path.string()));
  HANGAR_TRY(const SplitInfo info, read_split_info(file.metadata));
  HANGAR_CHECK_OK(check_is_first(path, info));
  auto checkpoint = std::make_unique<GgufCheckpoint>(file.version, std::move(file.metadata));
  checkpoint->add_tensors(std::move(file.tensors));
  checkpoint->count_bytes(first.bytes().size());
  checkpoint->keep_file(std::move(first));
  if (info.count > 1) HANGAR_CHECK_OK(add_shards(*checkpoint, path, info));
  HANGAR_CHECK_OK(checkpoint->finish());
  return checkpoint;
}

Result<std::unique_ptr<Checkpoint>> open_gguf_bytes(std::span<const std::byte> bytes,
                                                    std::string_view name) {
  HANGAR_TRY(File file, parse_file(bytes, name));
  HANGAR_TRY(const SplitInfo info, read_split_info(file.metadata));
  if (info.count > 1) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{}: is part {} of {} of a split model, which must be opened from files",
                      name, info.number + 1, info.count);
  }
  auto checkpoint = std::make_unique<GgufCheckpoint>(file.version, std::move(file.metadata));
  checkpoint->add_tensors(std::move(file.tensors));
  checkpoint->count_bytes(bytes.size());
  HANGAR_CHECK_OK(checkpoint->finish());
  return checkpoint;
}

}  // namespace hangar::gguf
