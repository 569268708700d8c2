#include "engine/prepared_model.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <xxhash.h>

#include <string>
#include <utility>

#include "backend/registry.h"
#include "base/version.h"
#include "model/model.h"

namespace hangar {
namespace {

namespace fs = std::filesystem;

fs::path first_file(const Checkpoint& checkpoint) {
  const std::vector<fs::path> files = checkpoint.files();
  return files.empty() ? fs::path() : files.front();
}

}  // namespace

fs::path prepared_path(const fs::path& folder, const fs::path& model, std::string_view backend) {
  std::error_code failure;
  fs::path whole = fs::canonical(model, failure);
  if (failure) whole = fs::absolute(model, failure);
  const std::string text = whole.string();
  // Of a folder of files the folder says more.
  const fs::path name =
      whole.extension() == ".gguf" ? whole.stem() : whole.parent_path().filename();
  return folder / fmt::format("{}-{:016x}.{}", name.string(), XXH3_64bits(text.data(), text.size()),
                              backend);
}

Result<PreparedFor> prepared_for(const Checkpoint& checkpoint, std::string_view backend) {
  const std::string layout = prepared_layout(backend);
  if (layout.empty()) {
    return make_error(ErrorCode::kUnsupported, "the {} backend prepares no weights", backend);
  }
  const std::vector<fs::path> files = checkpoint.files();
  if (files.empty()) return make_error(ErrorCode::kUnsupported, "the model is not in files");
  if (checkpoint.random_weights()) {
    return make_error(ErrorCode::kUnsupported, "weights that are made up are not prepared");
  }
  PreparedFor out;
  out.layout = fmt::format("hangar {}, {} {}", kVersion, backend, layout);
  std::error_code failure;
  out.model = fs::canonical(files.front(), failure).string();
  HANGAR_TRY(out.files, stamp_model(files));
  return out;
}

std::shared_ptr<const PreparedWeights> use_prepared(const fs::path& folder,
                                                    const Checkpoint& checkpoint,
                                                    std::string_view backend) {
  const fs::path path = prepared_path(folder, first_file(checkpoint), backend);
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return nullptr;
  const auto wanted = prepared_for(checkpoint, backend);
  if (!wanted) return nullptr;
  auto prepared = open_prepared(path, *wanted);
  if (prepared) return std::move(*prepared);
  spdlog::warn("prepared weights are not used: {}; `hangar models prepare` makes them anew",
               prepared.error().message);
  return nullptr;
}

Result<std::unique_ptr<PreparedFileWriter>> start_preparing(const fs::path& folder,
                                                            const Checkpoint& checkpoint,
                                                            std::string_view backend,
                                                            std::function<bool()> cancelled) {
  PreparedFileWriter::Options options;
  options.path = prepared_path(folder, first_file(checkpoint), backend);
  HANGAR_TRY(options.prepared_for, prepared_for(checkpoint, backend));
  // Packed 4- and 8-bit weights take what the file takes, those of rarer types up to a tenth more.
  options.expected_bytes = checkpoint.file_bytes() + checkpoint.file_bytes() / 10;
  options.cancelled = std::move(cancelled);
  return PreparedFileWriter::create(std::move(options));
}

Status load_into(PreparedSink& sink, const Checkpoint& checkpoint, std::string_view backend_name,
                 int threads) {
  HANGAR_TRY(const std::unique_ptr<Backend> backend,
             make_backend(backend_name, BackendOptions{.threads = threads, .prepare_into = &sink}));
  const ModelLimits smallest{.max_rows = 1, .max_logit_rows = 1, .context_tokens = 0};
  HANGAR_TRY(const std::unique_ptr<Model> model, make_model(checkpoint, *backend, smallest));
  return {};
}

}  // namespace hangar
