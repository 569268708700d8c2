// The models that were pulled: where they lie, and which one a name means.
//
// Promise: a model is one folder, <models>/hf/org/name/COMMIT12 or, of a GGUF repository,
//   .../COMMIT12.FILE-STEM, with a manifest in it; several commits and quantizations lie side by
//   side. While one is pulled its files lie in FOLDER.partial, so a folder under its final name is
//   a whole model. A name without a revision means "main" as it was when last pulled.
// Errors: find_pulled: kNotFound (nothing such is here), kInvalidArgument (several fit) with what
//   is here.
// Threads: const calls from any thread; each looks at the folders afresh.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hub/hub_name.h"
#include "hub/manifest.h"

namespace hangar::hub {

struct PulledModel {
  std::filesystem::path folder;
  Manifest manifest;
  std::string problem;  // why the manifest cannot be read; it is empty then

  // What to open: the folder, or the GGUF file in it.
  std::filesystem::path model_path() const;
  // "hf:org/name@0123456789ab:Q4_K_M" or "...@0123456789ab/file.gguf": means this one only.
  std::string exact_name() const;
};

// A pull that was not finished.
struct PartialPull {
  std::filesystem::path folder;  // "....partial"
  std::string repo;
  std::uint64_t bytes = 0;
};

std::filesystem::path repo_folder(const std::filesystem::path& models, const std::string& repo);
std::filesystem::path model_folder(const std::filesystem::path& models, const std::string& repo,
                                   const std::string& commit, const std::string& variant);
std::filesystem::path partial_folder(const std::filesystem::path& model_folder);
// Held by whoever changes a model's folder.
std::filesystem::path change_lock(const std::filesystem::path& model_folder);

// Sorted by repository, then folder. repo "": all of them.
std::vector<PulledModel> pulled_models(const std::filesystem::path& models,
                                       const std::string& repo = "");
std::vector<PartialPull> partial_pulls(const std::filesystem::path& models);
Result<PulledModel> find_pulled(const std::filesystem::path& models, const HubName& name);
// Folders of the repository and its organisation that hold nothing any more are removed.
void remove_empty_repo(const std::filesystem::path& models, const std::string& repo);
// Whether the name means this model (of possibly several).
bool is_meant(const HubName& name, const Manifest& manifest);

}  // namespace hangar::hub
