#include "cli/model_loading.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>

#include "base/progress.h"
#include "base/terminal.h"
#include "cli/clock.h"

namespace hangar {
namespace {

// A progress line without an end in sight: ticks until destroyed.
class LoadingLine {
 public:
  explicit LoadingLine(std::string label)
      : progress_(
            std::move(label), 0, {is_terminal(STDERR_FILENO), terminal_columns(STDERR_FILENO)},
            [](std::string_view text) {
              fmt::print(stderr, "{}", text);
              std::fflush(stderr);
            },
            steady_now_us()),
        thread_([this] { tick(); }) {}

  ~LoadingLine() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    wake_.notify_all();
    thread_.join();
    progress_.finish(steady_now_us());
  }
  LoadingLine(const LoadingLine&) = delete;
  LoadingLine& operator=(const LoadingLine&) = delete;

 private:
  void tick() {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, std::chrono::milliseconds(100), [this] { return done_; })) {
      progress_.update(0, steady_now_us());
    }
  }

  Progress progress_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
  std::thread thread_;  // last: starts when the rest is there
};

}  // namespace

Result<StoredModel> find_model(const Settings& settings) {
  return ModelStore::from_settings(settings).resolve(settings.text(Setting::kModel));
}

LocalEngineOptions engine_options(const Settings& settings) {
  LocalEngineOptions options;
  options.backend = settings.text(Setting::kBackend);
  options.threads = static_cast<int>(settings.integer(Setting::kThreads));
  options.context_tokens = static_cast<std::int32_t>(settings.integer(Setting::kMaxContext));
  return options;
}

Result<std::unique_ptr<ServedModel>> load_model_shown(const StoredModel& stored,
                                                      const LocalEngineOptions& options) {
  const LoadingLine line("loading " + stored.id);
  return load_served_model(stored.path, stored.id, options);
}

Result<std::unique_ptr<const Tokenizer>> open_tokenizer(const StoredModel& stored) {
  HANGAR_TRY(const std::unique_ptr<Checkpoint> checkpoint, open_checkpoint(stored.path));
  HANGAR_TRY(TokenizerSpec spec, checkpoint->tokenizer());
  auto tokenizer = make_tokenizer(std::move(spec));
  if (!tokenizer) return with_context(std::move(tokenizer.error()), stored.path.string());
  return tokenizer;
}

std::optional<ChatTemplateSource> default_template(const Checkpoint& checkpoint) {
  const std::vector<ChatTemplateSource> templates = checkpoint.chat_templates();
  for (const ChatTemplateSource& source : templates) {
    if (source.name == "default") return source;
  }
  if (templates.empty()) return std::nullopt;
  return templates.front();
}

}  // namespace hangar
