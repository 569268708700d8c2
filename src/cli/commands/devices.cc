// hangar devices: the processors and cards of this machine, and what keeps a card from being used.
#include <filesystem>
#include <memory>

#include "backend/registry.h"
#include "base/cards.h"
#include "base/json.h"
#include "cli/commands/commands.h"
#include "cli/device_report.h"

namespace hangar {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hangar devices\n"
    "  hangar devices --json | jq '.cards[] | {name, memory_free_bytes, problem}'\n"
    "\n"
    "Cards are told of by the driver's own library (libnvidia-ml.so.1; HANGAR_NVML names "
    "another).\n"
    "No card is no error: exit 0, and the reason in words.";

class DevicesCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_flag("--json", json_, "One JSON object, numbers in their base units");
    app.footer(kExamples);
  }

  Result<int> run(const CommandContext& context) override {
    const ProcessorReport processors = report_processors();
    const Result<CardList> cards = list_cards();
    const Result<std::filesystem::path> library = cuda_library();
    if (json_) {
      HANGAR_CHECK_OK(
          context.out.write(write_json(devices_json(processors, cards, library), 2) + "\n"));
    } else {
      HANGAR_CHECK_OK(context.out.write(devices_text(processors, cards, library)));
    }
    return 0;
  }

 private:
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_devices_command() {
  return std::make_unique<DevicesCommand>();
}

}  // namespace hangar
