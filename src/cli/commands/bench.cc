// hangar bench: measures speed; what it measures, each of its parts knows (bench_*.cc).
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands/bench_parts.h"
#include "cli/commands/commands.h"

namespace hangar {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hangar bench model\n"
    "  hangar bench engine --batch 1,8\n"
    "  hangar bench serve --url http://127.0.0.1:8000 -c 16\n"
    "  hangar bench batching --html batching.html\n"
    "  hangar bench http --connections 64\n"
    "\n"
    "Each has its own --help.";

// Every part there is, in the order of `hangar bench --help`.
constexpr std::array kParts = {
    CommandEntry{"model", "Prefill and decode speed, without the server", make_bench_model},
    CommandEntry{"engine",
                 "Decode, loads, prefill and first token of an engine, without the server",
                 make_bench_engine},
    CommandEntry{"serve", "A load on any OpenAI-compatible server", make_bench_serve},
    CommandEntry{"batching", "The same load through every batching policy, on this machine",
                 make_bench_batching},
    CommandEntry{"http", "What the HTTP door itself costs, over an engine that answers at once",
                 make_bench_http},
};

class BenchCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.require_subcommand(1);
    for (const CommandEntry& entry : kParts) {
      Part part;
      part.command = entry.make();
      part.app = app.add_subcommand(std::string(entry.name), std::string(entry.summary));
      part.command->add_options(*part.app);
      parts_.push_back(std::move(part));
    }
    app.footer(kExamples);
  }

  Result<int> run(const CommandContext& context) override {
    for (const Part& part : parts_) {
      if (part.app->parsed()) return part.command->run(context);
    }
    return make_error(ErrorCode::kInternal, "bench: no part was asked for");
  }

 private:
  struct Part {
    std::unique_ptr<Command> command;
    CLI::App* app = nullptr;
  };
  std::vector<Part> parts_;
};

}  // namespace

std::unique_ptr<Command> make_bench_command() {
  return std::make_unique<BenchCommand>();
}

}  // namespace hangar
