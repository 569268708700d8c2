#include "hub/file_selection.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>
#include <optional>

#include "base/ascii.h"
#include "base/units.h"
#include "hub/glob.h"

namespace hangar::hub {
namespace {

constexpr std::string_view kGguf = ".gguf";
constexpr std::string_view kSafetensors = ".safetensors";
// Python pickles: opening one runs the code inside.
constexpr std::array<std::string_view, 6> kPickles = {".bin",  ".pt",  ".pth",
                                                      ".ckpt", ".pkl", ".pickle"};
// Weights in formats that are not read.
constexpr std::array<std::string_view, 7> kOtherWeights = {
    ".h5", ".msgpack", ".onnx", ".onnx_data", ".tflite", ".mlmodel", ".ot"};

bool ends_with_any(std::string_view path, std::span<const std::string_view> ends) {
  const std::string text = ascii_lower(path);
  return std::any_of(ends.begin(), ends.end(),
                     [&](std::string_view end) { return text.ends_with(end); });
}

std::string_view file_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

bool is_gguf(std::string_view path) {
  return ascii_lower(path).ends_with(kGguf);
}

// What stands beside models in GGUF repositories but is none: projectors of images, calibration.
bool is_side_gguf(std::string_view path) {
  const std::string name = ascii_lower(file_name(path));
  return name.starts_with("mmproj") || name.find("imatrix") != std::string::npos;
}

// "-00002-of-00003" at the end of a stem.
struct Split {
  int part = 0;
  int parts = 0;
  std::size_t begin = 0;  // in the stem
};
std::optional<Split> split_of(std::string_view stem) {
  constexpr std::size_t kLength = std::string_view("-00001-of-00003").size();
  if (stem.size() <= kLength) return std::nullopt;
  const std::string_view mark = stem.substr(stem.size() - kLength);
  Split split;
  split.begin = stem.size() - kLength;
  const auto number = [](std::string_view digits, int& value) {
    const auto [end, failure] = std::from_chars(digits.begin(), digits.end(), value);
    return failure == std::errc() && end == digits.end();
  };
  if (mark[0] != '-' || mark.substr(6, 4) != "-of-" || !number(mark.substr(1, 5), split.part) ||
      !number(mark.substr(10), split.parts)) {
    return std::nullopt;
  }
  return split;
}

std::string_view without_end(std::string_view path, std::string_view end) {
  return path.substr(0, path.size() - end.size());
}

// Every split model must have all its parts.
Status check_parts(const std::vector<HubFile>& files) {
  struct Parts {
    int parts = 0;
    std::vector<bool> seen;
    std::string end;
  };
  std::map<std::string, Parts> models;
  for (const HubFile& file : files) {
    for (const std::string_view end : {kGguf, kSafetensors}) {
      if (!ascii_lower(file.path).ends_with(end)) continue;
      const std::string_view stem = without_end(file.path, end);
      const auto split = split_of(stem);
      if (!split || split->part < 1 || split->part > split->parts) continue;
      Parts& model = models[fmt::format("{}\n{}", stem.substr(0, split->begin), split->parts)];
      model.parts = split->parts;
      model.seen.resize(static_cast<std::size_t>(split->parts));
      model.seen[static_cast<std::size_t>(split->part - 1)] = true;
      model.end = end;
    }
  }
  for (const auto& [key, model] : models) {
    const auto missing = std::find(model.seen.begin(), model.seen.end(), false);
    if (missing == model.seen.end()) continue;
    return make_error(ErrorCode::kCorrupt, "the repository lacks {}-{:05}-of-{:05}{}",
                      key.substr(0, key.find('\n')), missing - model.seen.begin() + 1, model.parts,
                      model.end);
  }
  return {};
}

bool is_licence(std::string_view path) {
  const std::string name = ascii_lower(file_name(path));
  return path.find('/') == std::string_view::npos &&
         (name.starts_with("license") || name.starts_with("licence") ||
          name.starts_with("notice") || name.starts_with("use_policy"));
}

// "1_Pooling/config.json": a module of a sentence-transformers model.
bool is_module_folder(std::string_view path) {
  const std::size_t slash = path.find('/');
  return slash != std::string_view::npos && path.rfind('/') == slash &&
         std::isdigit(static_cast<unsigned char>(path[0])) != 0 && path[1] == '_';
}

bool is_companion(std::string_view path) {
  const std::string text = ascii_lower(path);
  if (text.find('/') != std::string::npos) {
    return (is_module_folder(path) && text.ends_with(".json")) ||
           (text.starts_with("additional_chat_templates/") && text.ends_with(".jinja"));
  }
  return text.ends_with(".json") || text.ends_with(".jinja") || text.ends_with(".model") ||
         text.ends_with(".tiktoken") || text.ends_with(".txt") || text == "readme.md" ||
         is_licence(path);
}

// "model.safetensors" or a numbered part of it.
bool is_plain_weights(std::string_view path) {
  if (path == "model.safetensors") return true;
  return path.starts_with("model-") && path.ends_with(kSafetensors) &&
         split_of(without_end(path, kSafetensors)).has_value();
}

// Weights at the top, without copies of themselves in another cut ("consolidated") or precision
// ("model.fp16").
std::vector<HubFile> safetensors_weights(const std::vector<HubFile>& all) {
  const bool plain = std::any_of(all.begin(), all.end(),
                                 [](const HubFile& file) { return is_plain_weights(file.path); });
  std::vector<HubFile> weights;
  for (const HubFile& file : all) {
    if (!ascii_lower(file.path).ends_with(kSafetensors)) continue;
    const bool at_top = file.path.find('/') == std::string::npos;
    if (!at_top && !is_module_folder(file.path)) continue;
    if (at_top && plain && !is_plain_weights(file.path)) continue;
    weights.push_back(file);
  }
  return weights;
}

struct GgufModel {
  std::string group;
  std::string first;  // the file to open
  std::uint64_t bytes = 0;
  std::vector<HubFile> files;
};

std::vector<GgufModel> gguf_models(const std::vector<HubFile>& all) {
  std::map<std::string, GgufModel> models;
  for (const HubFile& file : all) {
    if (!is_gguf(file.path) || is_side_gguf(file.path)) continue;
    GgufModel& model = models[gguf_group(file.path)];
    model.group = gguf_group(file.path);
    model.bytes += file.bytes;
    model.files.push_back(file);
    if (model.first.empty() || file.path < model.first) model.first = file.path;
  }
  std::vector<GgufModel> out;
  for (auto& [group, model] : models) out.push_back(std::move(model));
  return out;
}

std::string choices(const std::vector<GgufModel>& models) {
  std::string out;
  for (const GgufModel& model : models) {
    out += fmt::format("\n  {:>9}  {}", format_bytes(model.bytes), model.first);
  }
  return out;
}

Result<GgufModel> choose_gguf(const std::vector<HubFile>& all, const HubName& name) {
  const std::vector<GgufModel> models = gguf_models(all);
  std::vector<GgufModel> fitting;
  for (const GgufModel& model : models) {
    if (!name.file.empty()) {
      const bool inside = std::any_of(model.files.begin(), model.files.end(),
                                      [&](const HubFile& f) { return f.path == name.file; });
      if (inside) fitting.push_back(model);
    } else if (name.quantization.empty() || is_quantization_of(model.first, name.quantization)) {
      fitting.push_back(model);
    }
  }
  if (fitting.size() == 1) return fitting.front();
  const std::string asked = hub_name_text(name);
  if (!name.file.empty()) {
    return make_error(ErrorCode::kNotFound, "{}: no such GGUF file{}{}", asked,
                      models.empty() ? "" : "; there are:", choices(models));
  }
  if (fitting.empty()) {
    return make_error(ErrorCode::kNotFound, "{}: no GGUF file of that quantization{}{}", asked,
                      models.empty() ? "" : "; there are:", choices(models));
  }
  return make_error(ErrorCode::kInvalidArgument,
                    "{}: several GGUF files; choose one as {}{}:Q4_K_M or {}{}/FILE; there are:{}",
                    asked, kHubPrefix, name.repo, kHubPrefix, name.repo, choices(fitting));
}

Error nothing_of_use(const std::vector<HubFile>& all, const std::string& asked) {
  for (const HubFile& file : all) {
    if (!ends_with_any(file.path, kPickles)) continue;
    return {ErrorCode::kUnsupported,
            fmt::format("{}: its weights are PyTorch pickles ({}), which run the code inside them "
                        "when opened; hangar does not read them. Look for a safetensors or GGUF "
                        "version, or convert it: transformers' save_pretrained writes safetensors",
                        asked, file.path)};
  }
  for (const HubFile& file : all) {
    if (!ends_with_any(file.path, kOtherWeights)) continue;
    return {ErrorCode::kUnsupported,
            fmt::format("{}: its weights are in a format that hangar does not read ({}); "
                        "safetensors and GGUF are read",
                        asked, file.path)};
  }
  return {ErrorCode::kNotFound,
          fmt::format("{}: the repository holds no safetensors or GGUF files", asked)};
}

Result<Selection> choose_included(const std::vector<HubFile>& all,
                                  const SelectionOptions& options) {
  if (!options.name.file.empty() || !options.name.quantization.empty()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{}: --include names files too; leave one of the two out",
                      hub_name_text(options.name));
  }
  Selection selection;
  for (const HubFile& file : all) {
    if (!any_glob_matches(options.include, file.path)) continue;
    if (any_glob_matches(options.exclude, file.path)) continue;
    if (ends_with_any(file.path, kPickles)) {
      return make_error(ErrorCode::kUnsupported,
                        "{}: {} is a PyTorch pickle, which runs the code inside it when opened; it "
                        "is not taken: leave it out by --exclude",
                        hub_name_text(options.name), file.path);
    }
    selection.files.push_back(file);
  }
  const std::vector<GgufModel> models = gguf_models(selection.files);
  if (models.size() == 1 && safetensors_weights(selection.files).empty()) {
    selection.model_file = models.front().first;
    selection.variant = models.front().group;
  }
  return selection;
}

Result<Selection> choose_usual(const std::vector<HubFile>& all, const SelectionOptions& options) {
  const bool one_gguf = !options.name.file.empty() || !options.name.quantization.empty();
  Selection selection;
  selection.files = one_gguf ? std::vector<HubFile>() : safetensors_weights(all);
  if (!selection.files.empty()) {
    for (const HubFile& file : all) {
      if (is_companion(file.path)) selection.files.push_back(file);
    }
  } else {
    if (!one_gguf && gguf_models(all).empty()) {
      return tl::unexpected<Error>(nothing_of_use(all, hub_name_text(options.name)));
    }
    HANGAR_TRY(GgufModel model, choose_gguf(all, options.name));
    selection.files = std::move(model.files);
    selection.model_file = std::move(model.first);
    selection.variant = std::move(model.group);
    for (const HubFile& file : all) {
      if (is_licence(file.path)) selection.files.push_back(file);
    }
  }
  std::erase_if(selection.files,
                [&](const HubFile& file) { return any_glob_matches(options.exclude, file.path); });
  return selection;
}

// A file where another one's folder would have to be.
Status check_folders(const std::vector<HubFile>& files) {
  for (std::size_t i = 0; i + 1 < files.size(); ++i) {
    for (std::size_t j = i + 1; j < files.size(); ++j) {
      if (!files[j].path.starts_with(files[i].path)) break;
      if (files[j].path.starts_with(files[i].path + "/")) {
        return make_error(ErrorCode::kCorrupt, "'{}' is a file and a folder", files[i].path);
      }
    }
  }
  return {};
}

}  // namespace

std::string gguf_group(std::string_view path) {
  const std::string_view stem = is_gguf(path) ? without_end(path, kGguf) : path;
  const auto split = split_of(stem);
  return std::string(split ? stem.substr(0, split->begin) : stem);
}

bool is_quantization_of(std::string_view path, std::string_view quantization) {
  const std::string wanted = ascii_lower(quantization);
  const std::string group = ascii_lower(gguf_group(path));
  if (group.ends_with(wanted) && group.size() > wanted.size()) {
    const char before = group[group.size() - wanted.size() - 1];
    if (before == '-' || before == '.' || before == '/') return true;
  }
  // "Q4_K_M/model.gguf"
  const std::size_t slash = group.rfind('/');
  if (slash == std::string::npos) return group == wanted;
  const std::string folder = group.substr(0, slash);
  return folder == wanted || folder.ends_with("/" + wanted);
}

Result<Selection> select_files(const std::vector<HubFile>& all, const SelectionOptions& options) {
  HANGAR_TRY(Selection selection,
             options.include.empty() ? choose_usual(all, options) : choose_included(all, options));
  const std::string asked = hub_name_text(options.name);
  if (selection.files.empty()) {
    return make_error(ErrorCode::kNotFound, "{}: --include and --exclude leave no file", asked);
  }
  const bool model_left =
      selection.model_file.empty() ||
      std::any_of(selection.files.begin(), selection.files.end(),
                  [&](const HubFile& file) { return file.path == selection.model_file; });
  if (!model_left) {
    return make_error(ErrorCode::kInvalidArgument, "{}: --exclude leaves the model itself out",
                      asked);
  }
  std::sort(selection.files.begin(), selection.files.end(),
            [](const HubFile& a, const HubFile& b) { return a.path < b.path; });
  HANGAR_CHECK_OK(check_folders(selection.files));
  if (options.include.empty() && options.exclude.empty()) {
    if (Status whole = check_parts(selection.files); !whole) {
      return with_context(std::move(whole.error()), asked);
    }
  }
  return selection;
}

}  // namespace hangar::hub
