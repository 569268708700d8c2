#include "backend/registry.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "backend/cpu/cpu_backend.h"
#include "backend/plugin_loader.h"
#include "backend/ref/ref_backend.h"

namespace hangar {
namespace {

struct Entry {
  std::string_view name;
  Result<std::unique_ptr<Backend>> (*make)(const BackendOptions& options);
  std::string (*prepared_layout)();
  bool card = false;  // takes BackendOptions::quant and device_memory_*
};

constexpr const char* kCudaLibrary = "libhangar_cuda.so";

using Made = Result<std::unique_ptr<Backend>>;

std::string no_layout() {
  return {};
}

// field: the setting at fault; flag: it, and what it says; host: what is so without a card.
tl::unexpected<Error> for_a_card(std::string field, std::string_view flag, std::string_view name,
                                 std::string_view host) {
  return tl::unexpected<Error>(Error{
      ErrorCode::kInvalidArgument,
      fmt::format("{} is for a card (--backend cuda); the backend \"{}\" {}", flag, name, host),
      std::move(field)});
}

Status refuse_copies(std::string_view name, WeightCopies copies) {
  if (!wanted(copies)) return {};
  return for_a_card("int4_copies", fmt::format("--int4-copies {}", kWeightCopiesNames.of(copies)),
                    name, "computes with the bits that the file has");
}

// What computes on the host takes weights as the file has them, or as `hangar models prepare` laid
// them out.
Status refuse_quant(std::string_view name, const QuantOptions& quant) {
  const bool matrices = quant.matrices.value_or(WeightQuant::kNone) != WeightQuant::kNone;
  const bool head = quant.head.value_or(WeightQuant::kNone) != WeightQuant::kNone;
  if (!matrices && !head) return refuse_copies(name, quant.copies);
  return for_a_card(matrices ? "quant" : "quant_head",
                    matrices ? fmt::format("--quant {}", kWeightQuantNames.of(*quant.matrices))
                             : fmt::format("--quant-head {}", kHeadQuantNames.of(*quant.head)),
                    name,
                    "computes with the bits that the file has. For fewer, take a file of 4 or 8 "
                    "bits, such as a GGUF of Q4_K or Q8_0");
}

Status refuse_card_options(std::string_view name, const BackendOptions& options) {
  HANGAR_CHECK_OK(refuse_quant(name, options.quant));
  if (options.device_memory_share == 0.0 && options.device_memory_bytes == 0) return {};
  return for_a_card("gpu_memory", "--gpu-memory", name,
                    "has the machine's memory, of which keys and values take --kv-memory");
}

constexpr std::array<Entry, 3> kBackends = {{
    {"cpu", [](const BackendOptions& options) { return Made(make_cpu_backend(options)); },
     cpu_prepared_layout},
    {"cuda", [](const BackendOptions& options) { return load_backend(kCudaLibrary, options); },
     no_layout, true},
    {"ref", [](const BackendOptions& options) { return Made(make_ref_backend(options.threads)); },
     no_layout},
}};

constexpr std::array<std::string_view, kBackends.size()> kNames = [] {
  std::array<std::string_view, kBackends.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kBackends[i].name;
  return names;
}();

}  // namespace

Result<std::filesystem::path> cuda_library() {
  return try_library(kCudaLibrary);
}

std::string_view usual_backend() {
  std::error_code error;
  const bool card = std::filesystem::exists("/dev/nvidiactl", error) ||
                    std::filesystem::exists("/dev/dxg", error);  // of a Windows host
  return card && library_is_here(kCudaLibrary) ? "cuda" : "cpu";
}

std::span<const std::string_view> backend_names() {
  return kNames;
}

Result<std::unique_ptr<Backend>> make_backend(std::string_view name, int threads) {
  return make_backend(name, BackendOptions{.threads = threads});
}

std::string prepared_layout(std::string_view name) {
  for (const Entry& entry : kBackends) {
    if (entry.name == name) return entry.prepared_layout();
  }
  return {};
}

Result<std::unique_ptr<Backend>> make_backend(std::string_view name,
                                              const BackendOptions& options) {
  for (const Entry& entry : kBackends) {
    if (entry.name != name) continue;
    if (!entry.card) HANGAR_CHECK_OK(refuse_card_options(name, options));
    Made made = entry.make(options);
    if (!made && made.error().field.empty()) made.error().field = "backend";
    return made;
  }
  std::string names;
  for (const std::string_view known : kNames) {
    if (!names.empty()) names += ", ";
    names += known;
  }
  auto error =
      make_error(ErrorCode::kInvalidArgument, "no backend \"{}\"; there are: {}", name, names);
  error.value().field = "backend";
  return error;
}

}  // namespace hangar
