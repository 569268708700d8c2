#include "hub/manifest.h"

#include <algorithm>
#include <boost/json.hpp>

#include "base/json.h"
#include "base/mapped_file.h"
#include "hub/disk.h"
#include "hub/hub_name.h"

namespace hangar::hub {
namespace {

namespace json = boost::json;

constexpr std::int64_t kFormat = 1;
constexpr std::size_t kMostManifestBytes = 64U << 20U;

Status read_files(const json::object& object, Manifest& manifest) {
  const json::value* files = object.if_contains("files");
  if (files == nullptr || !files->is_array()) {
    return make_error(ErrorCode::kCorrupt, "\"files\" is no list");
  }
  for (const json::value& item : files->get_array()) {
    if (!item.is_object()) return make_error(ErrorCode::kCorrupt, "\"files\" holds no objects");
    const json::value* bytes = item.get_object().if_contains("bytes");
    ManifestFile file;
    file.path = text_of(item.get_object(), "path");
    file.sha256 = text_of(item.get_object(), "sha256");
    HANGAR_CHECK_OK(check_repo_path(file.path));
    json::error_code wrong;
    if (bytes != nullptr) file.bytes = bytes->to_number<std::uint64_t>(wrong);
    if (bytes == nullptr || wrong || !is_hex(file.sha256, 64)) {
      return make_error(ErrorCode::kCorrupt, "\"{}\": no size or no SHA-256", file.path);
    }
    manifest.files.push_back(std::move(file));
  }
  return {};
}

Result<Manifest> parse(std::string_view text, std::string_view what) {
  HANGAR_TRY(const json::value root, parse_json(text, what));
  if (!root.is_object()) return make_error(ErrorCode::kCorrupt, "no JSON object");
  const json::object& object = root.get_object();
  const json::value* format = object.if_contains("format");
  const std::int64_t* number = format != nullptr ? format->if_int64() : nullptr;
  if (number == nullptr) return make_error(ErrorCode::kCorrupt, "no \"format\"");
  if (*number != kFormat) {
    return make_error(ErrorCode::kUnsupported, "format {}; this hangar knows {}", *number, kFormat);
  }
  Manifest manifest;
  manifest.repo = text_of(object, "repo");
  manifest.endpoint = text_of(object, "endpoint");
  manifest.commit = text_of(object, "commit");
  manifest.alias = text_of(object, "alias");
  manifest.model_file = text_of(object, "model_file");
  if (!looks_like_repo(manifest.repo) || manifest.commit.empty()) {
    return make_error(ErrorCode::kCorrupt, "no \"repo\" or no \"commit\"");
  }
  HANGAR_CHECK_OK(read_files(object, manifest));
  if (!manifest.model_file.empty() && manifest.find(manifest.model_file) == nullptr) {
    return make_error(ErrorCode::kCorrupt, "\"model_file\" is none of the files");
  }
  const json::value* revisions = object.if_contains("revisions");
  if (revisions != nullptr && revisions->is_object()) {
    for (const auto& [name, time] : revisions->get_object()) {
      if (time.is_int64()) manifest.revisions.emplace(name, time.get_int64());
    }
  }
  const json::value* damaged = object.if_contains("damaged");
  if (damaged != nullptr && damaged->is_array()) {
    for (const json::value& path : damaged->get_array()) {
      if (path.is_string()) manifest.damaged.emplace_back(path.get_string());
    }
  }
  return manifest;
}

}  // namespace

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::uint64_t Manifest::total_bytes() const {
  std::uint64_t sum = 0;
  for (const ManifestFile& file : files) sum += file.bytes;
  return sum;
}

const ManifestFile* Manifest::find(std::string_view path) const {
  const auto found = std::find_if(files.begin(), files.end(),
                                  [&](const ManifestFile& file) { return file.path == path; });
  return found == files.end() ? nullptr : &*found;
}

std::string manifest_text(const Manifest& manifest) {
  json::object out;
  out["format"] = kFormat;
  out["repo"] = manifest.repo;
  out["endpoint"] = manifest.endpoint;
  out["commit"] = manifest.commit;
  json::object revisions;
  for (const auto& [name, time] : manifest.revisions) revisions[name] = time;
  out["revisions"] = std::move(revisions);
  if (!manifest.alias.empty()) out["alias"] = manifest.alias;
  if (!manifest.model_file.empty()) out["model_file"] = manifest.model_file;
  json::array files;
  for (const ManifestFile& file : manifest.files) {
    files.push_back({{"path", file.path}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  }
  out["files"] = std::move(files);
  if (!manifest.damaged.empty()) {
    out["damaged"] = json::array(manifest.damaged.begin(), manifest.damaged.end());
  }
  return write_json(out, 1) + "\n";
}

Result<Manifest> parse_manifest(std::string_view text, std::string_view what) {
  Result<Manifest> manifest = parse(text, what);
  if (manifest) return manifest;
  Error error = std::move(manifest.error());
  if (error.code == ErrorCode::kInvalidArgument) error.code = ErrorCode::kCorrupt;
  return with_context(std::move(error), what);
}

Result<Manifest> read_manifest(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kManifestName;
  HANGAR_TRY(const std::string text, read_text_file(path, kMostManifestBytes));
  return parse_manifest(text, path.string());
}

Status write_manifest(const std::filesystem::path& folder, const Manifest& manifest) {
  return write_file_whole(folder / kManifestName, manifest_text(manifest));
}

}  // namespace hangar::hub
