#include "formats/gguf/shards.h"

#include <string>

namespace hangar::gguf {
namespace {

constexpr std::int64_t kMaxShards = 99999;  // the name has five digits

std::string suffix(std::int64_t number, std::int64_t count) {
  return fmt::format("-{:05}-of-{:05}.gguf", number + 1, count);
}

}  // namespace

Result<SplitInfo> read_split_info(const Metadata& metadata) {
  SplitInfo info;
  HANGAR_TRY(const std::optional<std::int64_t> count,
             metadata.integer("split.count", 0, kMaxShards));
  if (!count || *count <= 1) return info;
  info.count = *count;
  HANGAR_TRY(info.number, metadata.required_integer("split.no", 0, info.count - 1));
  HANGAR_TRY(info.tensors,
             metadata.required_integer("split.tensors.count", 0, std::int64_t{1} << 31));
  return info;
}

Result<std::filesystem::path> shard_path(const std::filesystem::path& first, const SplitInfo& info,
                                         std::int64_t number) {
  const std::string name = first.filename().string();
  const std::string own = suffix(info.number, info.count);
  if (!name.ends_with(own)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{}: is part {} of {} of a split model, so its name must end in '{}' for the "
                      "other parts to be found; rename it back",
                      first.string(), info.number + 1, info.count, own);
  }
  return first.parent_path() /
         (name.substr(0, name.size() - own.size()) + suffix(number, info.count));
}

Status check_is_first(const std::filesystem::path& path, const SplitInfo& info) {
  if (info.number == 0) return {};
  HANGAR_TRY(const std::filesystem::path first, shard_path(path, info, 0));
  return make_error(ErrorCode::kInvalidArgument,
                    "{}: is part {} of {} of a split model; open the first part instead: {}",
                    path.string(), info.number + 1, info.count, first.string());
}

Status check_shard(const Metadata& shard, const SplitInfo& first, std::int64_t number) {
  HANGAR_TRY(const SplitInfo info, read_split_info(shard));
  if (info.count != first.count || info.number != number || info.tensors != first.tensors) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: metadata 'split.*': part {} of {} with {} tensors in all found, part {} "
                      "of {} with {} expected",
                      shard.file(), info.number + 1, info.count, info.tensors, number + 1,
                      first.count, first.tensors);
  }
  return {};
}

}  // namespace hangar::gguf
