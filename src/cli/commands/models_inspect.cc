#include "cli/commands/models_inspect.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <memory>

#include "base/json.h"
#include "base/units.h"
#include "cli/model_store.h"
#include "cli/model_summary.h"
#include "cli/table.h"
#include "formats/checkpoint.h"

namespace hangar {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hangar models inspect model.gguf\n"
    "  hangar models inspect smollm2-135m-instruct --json | python3 -m json.tool\n"
    "\n"
    "Shapes are written outermost first: a weight is {outputs, inputs}.";

std::string shape_text(const TensorView& tensor) {
  return fmt::format("{{{}}}", fmt::join(tensor.shape, ", "));
}

std::string report_json(const Checkpoint& checkpoint, const ModelSummary& summary) {
  boost::json::object out;
  boost::json::array files;
  for (const auto& file : checkpoint.files()) files.push_back(boost::json::string(file.string()));
  out["files"] = std::move(files);
  out["format"] = checkpoint.format();
  out["file_bytes"] = checkpoint.file_bytes();
  out["parameters"] = summary.parameters;
  out["bits_per_parameter"] = summary.bits;
  boost::json::object metadata;
  for (const auto& [key, value] : checkpoint.metadata()) metadata[key] = value;
  out["metadata"] = std::move(metadata);
  boost::json::array tensors;
  for (const TensorView& tensor : checkpoint.tensors()) {
    tensors.push_back({{"name", tensor.name},
                       {"type", dtype_name(tensor.dtype)},
                       {"shape", boost::json::array(tensor.shape.begin(), tensor.shape.end())},
                       {"bytes", tensor_bytes(tensor)}});
  }
  out["tensors"] = std::move(tensors);
  return write_json(out, 1) + "\n";
}

std::string report_text(const Checkpoint& checkpoint, const ModelSummary& summary) {
  std::string out;
  for (const auto& file : checkpoint.files()) out += file.string() + "\n";
  out += fmt::format("{}, {}, {} tensors, {} parameters, {:.2f} bits each\n\n", checkpoint.format(),
                     format_bytes(checkpoint.file_bytes()), checkpoint.tensors().size(),
                     format_count(summary.parameters), summary.bits);
  std::vector<std::vector<std::string>> rows;
  for (const auto& [key, value] : checkpoint.metadata()) {
    rows.push_back({printable(key), printable(value)});
  }
  out += format_table({{"KEY"}, {"VALUE"}}, rows) + "\n";
  rows.clear();
  for (const TensorView& tensor : checkpoint.tensors()) {
    rows.push_back({printable(tensor.name), shape_text(tensor),
                    std::string(dtype_name(tensor.dtype)), format_bytes(tensor_bytes(tensor))});
  }
  out += format_table({{"TENSOR"}, {"SHAPE"}, {"TYPE"}, {"BYTES", true}}, rows);
  return out;
}

}  // namespace

void ModelsInspect::add_options(CLI::App& app) {
  app.add_option("PATH", name_, "A model file or folder, or a name from `hangar models`")
      ->type_name("MODEL")
      ->required();
  app.add_flag("--json", json_, "One JSON object");
  settings_.add(app, {Setting::kModelsDir});
  app.footer(kExamples);
}

Result<int> ModelsInspect::run(const CommandContext& context) {
  HANGAR_TRY(const Settings settings, settings_.resolve());
  HANGAR_TRY(const StoredModel stored, ModelStore::from_settings(settings).resolve(name_));
  HANGAR_TRY(const std::unique_ptr<Checkpoint> checkpoint, open_checkpoint(stored.path));
  ModelSummary summary;
  count_tensors(*checkpoint, summary);
  HANGAR_CHECK_OK(context.out.write(json_ ? report_json(*checkpoint, summary)
                                          : report_text(*checkpoint, summary)));
  return 0;
}

}  // namespace hangar
