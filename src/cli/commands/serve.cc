// hangar serve: the HTTP door, from flags to the last answer.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/json.hpp>
#include <memory>
#include <string>

#include "base/cards.h"
#include "base/json.h"
#include "base/log.h"
#include "base/units.h"
#include "base/version.h"
#include "cli/clock.h"
#include "cli/commands/commands.h"
#include "cli/device_report.h"
#include "cli/interrupt.h"
#include "cli/model_loading.h"
#include "cli/report.h"
#include "cli/setting_flags.h"
#include "serve/gateway.h"
#include "serve/http/descriptors.h"
#include "serve/http/server.h"

namespace hangar {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hangar serve\n"
    "  hangar serve --model ./model.gguf --host 0.0.0.0 --port 9000\n"
    "  hangar serve --config hangar.toml --print-config\n"
    "\n"
    "Each setting is a flag (--max-context), a key of the config file (max_context = 4096) or an\n"
    "environment variable (HANGAR_MAX_CONTEXT=4096); the first of these that is there counts.\n"
    "SIGTERM or Ctrl-C: what runs is finished, what is new is refused, exit 0. The second one:\n"
    "exit at once with 128 + the signal's number (SIGTERM 143, Ctrl-C 130).";

// An address as it stands in a URL: an IPv6 one in brackets, "any" as this machine.
std::string url_host(const std::string& host) {
  if (host == "0.0.0.0") return "127.0.0.1";
  if (host == "::") return "[::1]";
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

// Where there are cards: one line each in the log, and their gauges in /metrics.
void watch_cards(Gateway& gateway) {
  Result<std::unique_ptr<CardWatch>> watch = CardWatch::open();
  if (!watch) {
    spdlog::debug("{}", watch.error().message);
    return;
  }
  const CardList list = (*watch)->read();
  if (!list.problem.empty()) spdlog::warn("{}", list.problem);
  for (const CardInfo& card : list.cards) {
    spdlog::info("{}", card_line(card, list.driver));
    if (!card.problem.empty()) spdlog::warn("card {}: {}", card.index, card.problem);
  }
  gateway.watch_cards(std::move(*watch));
}

std::string welcome(const ServedModel& model, const EngineInfo& info, const std::string& host,
                    std::uint16_t port, std::int64_t load_us) {
  const std::string url = fmt::format("http://{}:{}", url_host(host), port);
  const boost::json::value body = {{"model", model.id()},
                                   {"messages", boost::json::array{boost::json::object{
                                                    {"role", "user"}, {"content", "Hello!"}}}}};
  return fmt::format(
      "hangar {} serves {} at {}/v1\n"
      "  model    {}\n"
      "  compute  {}\n"
      "  memory   weights {}, keys and values {} (context of {} tokens)\n"
      "  loaded   in {}\n"
      "Ask it:\n"
      "  curl {}/v1/chat/completions -H 'Content-Type: application/json' -d '{}'\n"
      "Ctrl-C stops it.\n",
      kVersion, model.id(), url, info.model, info.backend, format_bytes(info.weight_bytes),
      format_bytes(info.kv_bytes), info.context_tokens, format_duration(load_us), url,
      write_json(body));
}

// Files that the program has open beside its connections, with room to spare.
constexpr std::size_t kOtherDescriptors = 64;

HttpServerOptions http_options(const Settings& settings) {
  constexpr std::int64_t kMicrosPerSecond = 1'000'000;
  const auto size = [&](Setting setting) {
    return static_cast<std::size_t>(settings.integer(setting));
  };
  HttpServerOptions http;
  http.host = settings.text(Setting::kHost);
  http.port = static_cast<std::uint16_t>(settings.integer(Setting::kPort));
  http.max_header_bytes = size(Setting::kMaxHeaderKb) << 10U;
  http.max_body_bytes = size(Setting::kMaxBodyMb) << 20U;
  http.max_buffered_bytes = std::max(size(Setting::kMaxBodiesMb) << 20U, 2 * http.max_body_bytes);
  http.max_connections = size(Setting::kMaxConnections);
  http.max_connections_per_address = size(Setting::kMaxConnectionsPerAddress);
  http.header_timeout_us = settings.integer(Setting::kHeaderTimeoutS) * kMicrosPerSecond;
  http.body_timeout_us = settings.integer(Setting::kBodyTimeoutS) * kMicrosPerSecond;
  http.idle_timeout_us = settings.integer(Setting::kIdleTimeoutS) * kMicrosPerSecond;
  http.write_timeout_us = settings.integer(Setting::kWriteTimeoutS) * kMicrosPerSecond;
  http.answer_timeout_us = settings.integer(Setting::kAnswerTimeoutS) * kMicrosPerSecond;
  return http;
}

class ServeCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_flag("--print-config", print_config_,
                 "Print every setting and where it came from, and end");
    settings_.add(app, {Setting::kModel,
                        Setting::kModelsDir,
                        Setting::kLoad,
                        Setting::kHost,
                        Setting::kPort,
                        Setting::kThreads,
                        Setting::kPinThreads,
                        Setting::kPreparedWeights,
                        Setting::kMaxContext,
                        Setting::kBackend,
                        Setting::kBatching,
                        Setting::kMaxRunning,
                        Setting::kStepTokens,
                        Setting::kBatchWaitMs,
                        Setting::kQuant,
                        Setting::kKvType,
                        Setting::kKvMemory,
                        Setting::kGpuMemory,
                        Setting::kPrefixCache,
                        Setting::kSpeculate,
                        Setting::kDeterministic,
                        Setting::kMaxQueue,
                        Setting::kRequestTimeoutS,
                        Setting::kMaxBodyMb,
                        Setting::kMaxBodiesMb,
                        Setting::kMaxHeaderKb,
                        Setting::kHeaderTimeoutS,
                        Setting::kBodyTimeoutS,
                        Setting::kIdleTimeoutS,
                        Setting::kWriteTimeoutS,
                        Setting::kAnswerTimeoutS,
                        Setting::kMaxConnections,
                        Setting::kMaxConnectionsPerAddress,
                        Setting::kLogLevel});
    app.footer(kExamples);
  }

  Result<int> run(const CommandContext& context) override;

 private:
  SettingFlags settings_;
  bool print_config_ = false;
};

Result<int> ServeCommand::run(const CommandContext& context) {
  HANGAR_TRY(const Settings settings, settings_.resolve());
  if (print_config_) {
    HANGAR_CHECK_OK(context.out.write(settings.print()));
    return 0;
  }
  HANGAR_CHECK_OK(start_log(settings.text(Setting::kLogLevel)));
  HANGAR_TRY(const StoredModel stored, find_model(settings));

  // The order matters: signals are watched before any thread starts; the port is taken before the
  // model is loaded, so that a port in use is said at once.
  GatewayOptions limits;
  limits.request_timeout_us = settings.integer(Setting::kRequestTimeoutS) * 1'000'000;
  std::string failure;  // written before the server is stopped, read after it has run
  Gateway gateway(limits);
  std::atomic<HttpServer*> running{nullptr};
  const TerminationWatch watch([&](int signal) {
    HttpServer* server = running.load();
    if (server == nullptr) ::_exit(0);  // loading or done: nothing to finish
    spdlog::info("signal {}: finishing what runs; once more to exit at once", signal);
    gateway.drain();
    server->stop();
  });
  watch_cards(gateway);
  const HttpServerOptions http = http_options(settings);
  const std::size_t descriptors = raise_descriptor_limit();
  if (descriptors < http.max_connections + kOtherDescriptors) {
    spdlog::warn("{} connections may come, but the process may open {} files (ulimit -n)",
                 http.max_connections, descriptors);
  }
  HANGAR_TRY(const std::unique_ptr<HttpServer> server, HttpServer::listen(http, gateway));

  const std::int64_t start_us = steady_now_us();
  HANGAR_TRY(std::unique_ptr<ServedModel> model,
             load_model_shown(stored, engine_options(settings)));
  const std::string text = welcome(*model, model->engine().info(), http.host, server->port(),
                                   steady_now_us() - start_us);
  ServedModel& served = *model;
  gateway.add(std::move(model));
  running.store(server.get());
  served.on_failure([&](const std::string& reason) {
    spdlog::critical("{}: the server ends", reason);
    HttpServer* serving = running.load();
    if (serving == nullptr) return;  // it ends anyway
    failure = reason;
    gateway.drain();
    serving->stop();
  });
  HANGAR_CHECK_OK(context.out.write(text));
  HANGAR_CHECK_OK(context.out.flush());
  server->run();
  running.store(nullptr);
  if (!failure.empty()) return make_error(ErrorCode::kUnavailable, "{}", failure);
  spdlog::info("stopped");
  return 0;
}

}  // namespace

std::unique_ptr<Command> make_serve_command() {
  return std::make_unique<ServeCommand>();
}

}  // namespace hangar
