// HubName: a model of a hub as people write it.
//
//   hf:org/name                        a repository of safetensors, or of one GGUF file
//   hf:org/name:Q4_K_M                 of a repository of GGUF files, that quantization
//   hf:org/name/folder/file.gguf       that very file (and the other parts of a split one)
//   hf:org/name@REVISION...            a branch, tag, "refs/pr/N" or commit; before ':' or '/file'
//
// Promise: parse_hub_name takes exactly these; hub_name_text writes them back. A revision ends at
// the
//   first '/' (but for "refs/pr/N" and "refs/convert/X"); one with other slashes is given apart.
//   Every part is fit for a URL and for a folder's name: no "..", no control characters.
// Errors: kInvalidArgument with what is wrong and how a name looks.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace hangar::hub {

struct HubName {
  std::string repo;          // "org/name"
  std::string revision;      // "" where none was written: the hub's "main"
  std::string file;          // "folder/file.gguf"
  std::string quantization;  // "Q4_K_M", as written

  bool operator==(const HubName&) const = default;
};

inline constexpr std::string_view kHubPrefix = "hf:";
inline constexpr std::string_view kMainRevision = "main";

bool is_hub_name(std::string_view text);
// "org/name" alone: what a person types who forgets "hf:".
bool looks_like_repo(std::string_view text);
Result<HubName> parse_hub_name(std::string_view text);
std::string hub_name_text(const HubName& name);

// A branch, tag or commit as git allows it.
Status check_revision(std::string_view revision);
// A file's path inside a repository: relative, '/' between parts, none of them "", "." or "..".
Status check_repo_path(std::string_view path);
// Whether a part of it is a name that hangar keeps for itself (".hangar*", "*.part"); such files of
// a repository are passed over.
bool is_reserved_path(std::string_view path);

}  // namespace hangar::hub
