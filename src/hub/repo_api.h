// A repository of a hub, as Hugging Face's API tells of it.
//
// Promise: resolve_commit asks which commit a revision is; list_files gives every file of a commit,
//   all pages of it, each with a path that check_repo_path took, its size and its SHA-256 (large
//   files) or git name (small ones). Nothing of the answer is believed without a look.
// Units: bytes.
// Errors: fetch_text's; kCorrupt where an answer is not what the protocol says.
// Threads: the caller's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hub/session.h"

namespace hangar::hub {

struct HubFile {
  std::string path;
  std::uint64_t bytes = 0;
  std::string sha256;   // of files in large-file storage
  std::string git_oid;  // of the others

  bool operator==(const HubFile&) const = default;
};

Result<std::string> resolve_commit(Session& session, const std::string& repo,
                                   const std::string& revision);
Result<std::vector<HubFile>> list_files(Session& session, const std::string& repo,
                                        const std::string& commit);
std::string file_url(const std::string& endpoint, const std::string& repo,
                     const std::string& commit, const std::string& path);

// Exposed for tests: one page of a tree.
Result<std::vector<HubFile>> parse_tree(std::string_view text);

}  // namespace hangar::hub
