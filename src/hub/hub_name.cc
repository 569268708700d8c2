#include "hub/hub_name.h"

#include <algorithm>
#include <cctype>

namespace hangar::hub {
namespace {

constexpr std::size_t kMostPartBytes = 255;
constexpr std::size_t kMostRepoPartBytes = 96;

bool is_plain(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
}

bool is_repo_part(std::string_view part) {
  return !part.empty() && part.size() <= kMostRepoPartBytes && part.front() != '.' &&
         part.front() != '-' && part.back() != '.' && part.find("..") == std::string_view::npos &&
         std::all_of(part.begin(), part.end(), is_plain);
}

tl::unexpected<Error> bad_name(std::string_view text, std::string_view why) {
  return make_error(ErrorCode::kInvalidArgument,
                    "'{}': {}; a name is hf:org/name, hf:org/name@revision, hf:org/name:Q4_K_M or "
                    "hf:org/name/file.gguf",
                    text, why);
}

// How many bytes of `text` (what follows '@') are the revision.
std::size_t revision_length(std::string_view text) {
  std::size_t from = 0;
  for (const std::string_view deep : {"refs/pr/", "refs/convert/"}) {
    if (text.starts_with(deep)) from = deep.size();
  }
  return std::min(text.find_first_of("/:", from), text.size());
}

}  // namespace

bool is_hub_name(std::string_view text) {
  return text.starts_with(kHubPrefix);
}

bool looks_like_repo(std::string_view text) {
  const std::size_t slash = text.find('/');
  return slash != std::string_view::npos && is_repo_part(text.substr(0, slash)) &&
         is_repo_part(text.substr(slash + 1, text.find_first_of("@:/", slash + 1) - slash - 1));
}

Status check_revision(std::string_view revision) {
  const bool bad = revision.empty() || revision.size() > kMostPartBytes ||
                   revision.front() == '/' || revision.front() == '-' || revision.back() == '/' ||
                   revision.back() == '.' || revision.find("..") != std::string_view::npos ||
                   revision.find("//") != std::string_view::npos ||
                   std::any_of(revision.begin(), revision.end(), [](char c) {
                     return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f ||
                            std::string_view("~^:?*[\\").find(c) != std::string_view::npos;
                   });
  if (bad) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' is no revision: a branch, tag or commit",
                      revision);
  }
  return {};
}

Status check_repo_path(std::string_view path) {
  const auto bad = [&](std::string_view why) {
    std::string shown;
    for (const char c : path.substr(0, 200)) {
      const auto byte = static_cast<unsigned char>(c);
      shown += byte < 0x20 || byte == 0x7f ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
    }
    return make_error(ErrorCode::kInvalidArgument, "file name '{}' is refused: {}", shown, why);
  };
  if (path.empty() || path.size() > 4096) return bad("empty, or longer than 4096 bytes");
  if (path.front() == '/') return bad("it begins with '/'");
  std::string_view rest = path;
  while (true) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return bad("it leads out of its folder");
    // Room is left for ".part" and its like.
    if (part.size() > kMostPartBytes - 16) return bad("a part of it is too long");
    for (const char c : part) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20 || byte == 0x7f || c == '\\') return bad("control characters or '\\' in it");
    }
    if (slash == rest.size()) return {};
    rest.remove_prefix(slash + 1);
  }
}

bool is_reserved_path(std::string_view path) {
  while (true) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    if (part.starts_with(".hangar") || part.ends_with(".part") || part.ends_with(".part.etag")) {
      return true;
    }
    if (slash == path.size()) return false;
    path.remove_prefix(slash + 1);
  }
}

Result<HubName> parse_hub_name(std::string_view text) {
  if (!is_hub_name(text)) return bad_name(text, "it does not begin with hf:");
  std::string_view rest = text.substr(kHubPrefix.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return bad_name(text, "no '/' between org and name");
  const std::size_t end = std::min(rest.find_first_of("@:/", slash + 1), rest.size());
  HubName name;
  name.repo = rest.substr(0, end);
  if (!is_repo_part(rest.substr(0, slash)) ||
      !is_repo_part(rest.substr(slash + 1, end - slash - 1))) {
    return bad_name(text, "org and name are letters, digits, '.', '_' and '-'");
  }
  rest.remove_prefix(end);
  if (rest.starts_with('@')) {
    rest.remove_prefix(1);
    const std::size_t length = revision_length(rest);
    name.revision = rest.substr(0, length);
    if (const Status right = check_revision(name.revision); !right) {
      return bad_name(text, right.error().message);
    }
    rest.remove_prefix(length);
  }
  if (rest.starts_with(':')) {
    name.quantization = rest.substr(1);
    if (name.quantization.empty() ||
        !std::all_of(name.quantization.begin(), name.quantization.end(), is_plain)) {
      return bad_name(text, "what follows ':' is no quantization");
    }
  } else if (rest.starts_with('/')) {
    name.file = rest.substr(1);
    if (const Status right = check_repo_path(name.file); !right) {
      return bad_name(text, right.error().message);
    }
  }
  return name;
}

std::string hub_name_text(const HubName& name) {
  std::string text = fmt::format("{}{}", kHubPrefix, name.repo);
  if (!name.revision.empty()) text += "@" + name.revision;
  if (!name.quantization.empty()) text += ":" + name.quantization;
  if (!name.file.empty()) text += "/" + name.file;
  return text;
}

}  // namespace hangar::hub
