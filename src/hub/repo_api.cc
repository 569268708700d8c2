#include "hub/repo_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "base/json.h"
#include "hub/hub_name.h"
#include "hub/link_header.h"
#include "hub/manifest.h"

namespace hangar::hub {
namespace {

namespace json = boost::json;

constexpr int kMostPages = 1000;
constexpr std::size_t kMostFiles = 200'000;
constexpr std::size_t kSha1Digits = 40;
constexpr std::size_t kSha256Digits = 64;

Result<std::uint64_t> size_of(const json::object& object, std::string_view path) {
  const json::value* value = object.if_contains("size");
  json::error_code wrong;
  const auto bytes = value != nullptr ? value->to_number<std::uint64_t>(wrong) : 0;
  // 2^53 bytes are more than any disk has; sums of sizes cannot overflow.
  if (value == nullptr || wrong || bytes > (1ULL << 53U)) {
    return make_error(ErrorCode::kCorrupt, "the hub gives no size for '{}'", path);
  }
  return bytes;
}

Result<HubFile> parse_entry(const json::object& entry) {
  HubFile file;
  file.path = text_of(entry, "path");
  HANGAR_CHECK_OK(check_repo_path(file.path));
  HANGAR_TRY(file.bytes, size_of(entry, file.path));
  const json::value* lfs = entry.if_contains("lfs");
  if (lfs != nullptr && lfs->is_object()) {
    file.sha256 = text_of(lfs->get_object(), "oid");
    if (file.sha256.starts_with("sha256:")) file.sha256.erase(0, 7);
    HANGAR_TRY(file.bytes, size_of(lfs->get_object(), file.path));
    if (!is_hex(file.sha256, kSha256Digits)) {
      return make_error(ErrorCode::kCorrupt, "the hub gives no SHA-256 for '{}'", file.path);
    }
    return file;
  }
  file.git_oid = text_of(entry, "oid");
  if (!is_hex(file.git_oid, kSha1Digits)) {
    return make_error(ErrorCode::kCorrupt, "the hub gives no hash for '{}'", file.path);
  }
  return file;
}

std::string api_url(const Session& session, const std::string& repo) {
  return fmt::format("{}/api/models/{}", session.endpoint, repo);
}

}  // namespace

Result<std::vector<HubFile>> parse_tree(std::string_view text) {
  const auto root = parse_json(text, "the hub's list of files");
  if (!root || !root->is_array()) {
    return make_error(ErrorCode::kCorrupt, "the hub's list of files is no JSON list");
  }
  std::vector<HubFile> files;
  for (const json::value& item : root->get_array()) {
    if (!item.is_object()) {
      return make_error(ErrorCode::kCorrupt, "the hub's list of files holds no objects");
    }
    if (text_of(item.get_object(), "type") != "file") continue;
    if (is_reserved_path(text_of(item.get_object(), "path"))) continue;
    auto file = parse_entry(item.get_object());
    // Whatever is wrong with it, it is the hub's doing.
    if (!file) return make_error(ErrorCode::kCorrupt, "{}", file.error().message);
    files.push_back(std::move(*file));
  }
  return files;
}

Result<std::string> resolve_commit(Session& session, const std::string& repo,
                                   const std::string& revision) {
  const std::string what = fmt::format("{}{}@{}", kHubPrefix, repo, revision);
  HANGAR_TRY(const TextAnswer answer,
             fetch_text(session,
                        fmt::format("{}/revision/{}", api_url(session, repo),
                                    url_encoded(revision, false)),
                        what));
  const auto root = parse_json(answer.body, what);
  std::string commit = root && root->is_object() ? text_of(root->get_object(), "sha") : "";
  if (!is_hex(commit, kSha1Digits) && !is_hex(commit, kSha256Digits)) {
    return make_error(ErrorCode::kCorrupt, "{}: {} does not answer as a hub does (no \"sha\")",
                      what, shown_url(session.endpoint));
  }
  return commit;
}

Result<std::vector<HubFile>> list_files(Session& session, const std::string& repo,
                                        const std::string& commit) {
  const std::string what = fmt::format("{}{}", kHubPrefix, repo);
  std::string url =
      fmt::format("{}/tree/{}?recursive=true&expand=false", api_url(session, repo), commit);
  std::vector<HubFile> files;
  std::set<std::string> seen;
  for (int page = 0; page < kMostPages; ++page) {
    HANGAR_TRY(const TextAnswer answer, fetch_text(session, url, what));
    auto more = parse_tree(answer.body);
    if (!more) return with_context(std::move(more.error()), what);
    for (HubFile& file : *more) {
      if (!seen.insert(file.path).second) {
        return make_error(ErrorCode::kCorrupt, "{}: the hub lists '{}' twice", what, file.path);
      }
      files.push_back(std::move(file));
    }
    if (files.size() > kMostFiles) break;
    std::optional<std::string> next = next_link(answer.head.link);
    if (!next) return files;
    if (next->starts_with('/')) next = session.endpoint + *next;
    if (!same_origin(*next, session.endpoint)) {
      return make_error(ErrorCode::kCorrupt, "{}: the next page would be at {}, another host", what,
                        shown_url(*next));
    }
    url = *next;
  }
  return make_error(ErrorCode::kCorrupt, "{}: the hub's list of files does not end", what);
}

std::string file_url(const std::string& endpoint, const std::string& repo,
                     const std::string& commit, const std::string& path) {
  return fmt::format("{}/{}/resolve/{}/{}", endpoint, repo, url_encoded(commit, false),
                     url_encoded(path, true));
}

}  // namespace hangar::hub
