// ServedModel: one model behind the door: tokenizer, template and engine under one name.
//
// Promise: generate() starts a request and gives its text stream; stop strings are found across
// token
//   borders here, the engine knows tokens only. Destroying it stops the engine and ends all
//   streams.
// Errors: load: what the file, the tokenizer, the template or the engine refuses. generate: as
//   Engine::submit, plus kInvalidArgument for prompts past the context.
// Threads: const calls from any thread. Owns the pump thread that reads the engine's events.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/local_engine.h"
#include "formats/checkpoint.h"
#include "serve/chat_templates.h"
#include "serve/event_pump.h"
#include "serve/output_stream.h"
#include "serve/prompt_bound.h"
#include "text/tokenizer.h"

namespace hangar {

struct TextRequest {
  Request request;  // prompt ids and all engine parameters; id and stop_tokens are filled in here
  std::vector<std::string> stop;  // stop strings; not part of the output
  bool echo = false;              // the prompt's text comes first in each choice
  bool keep_special = false;      // control tokens' text is part of the output
  bool whole = false;             // the reader wants to be told of the end only
  // Unread, it is cut off past this (see OutputQueue). Not with `whole`.
  std::size_t max_waiting_bytes = std::numeric_limits<std::size_t>::max();
};

class ServedModel {
 public:
  ServedModel(std::string id, std::unique_ptr<const Tokenizer> tokenizer, ChatTemplates templates,
              std::unique_ptr<Engine> engine, GenerationDefaults defaults = {});
  ~ServedModel();
  ServedModel(const ServedModel&) = delete;
  ServedModel& operator=(const ServedModel&) = delete;

  const std::string& id() const { return id_; }
  std::int64_t created_unix_s() const { return created_unix_s_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const PromptBound& prompt_bound() const { return prompt_bound_; }
  // nullptr: the model has none.
  const ChatTemplate* chat_template(bool with_tools = false) const {
    return templates_.choose(with_tools);
  }
  const GenerationDefaults& generation_defaults() const { return defaults_; }
  Engine& engine() { return *engine_; }
  const Engine& engine() const { return *engine_; }

  // request.choices continuations of one prompt. max_tokens is cut to what the context leaves; 0
  // computes nothing but the prompt's log-probabilities. Stop strings are not looked for in the
  // first min_tokens tokens; one that is found ends its choice alone. Usage counts the prompt once
  // and each choice's tokens up to and with the one that completed its stop string.
  Result<std::unique_ptr<OutputStream>> generate(TextRequest request);
  // Several prompts, in order: all of them or none; one step may take them together.
  Result<std::vector<std::unique_ptr<OutputStream>>> generate(std::vector<TextRequest> requests);

  // Waits for one token of an unseen request, which no metric counts: what is read or made at first
  // use has been read and made then.
  Status warm_up();
  // EventPump::on_failure.
  void on_failure(std::function<void(const std::string&)> told) {
    pump_->on_failure(std::move(told));
  }
  // A token has come out of the model.
  bool has_produced() const { return pump_->has_produced(); }
  const ModelMetrics& metrics() const { return pump_->metrics(); }
  // Seconds until a request that finds the queue full should come again, 1 to 60.
  int retry_after_s() const;

 private:
  Result<std::vector<std::unique_ptr<OutputStream>>> start(std::vector<TextRequest> requests,
                                                           bool counted);
  // Completes the request by what the model says; false: there is nothing to compute.
  Result<bool> complete(Request& request) const;

  std::string id_;
  std::int64_t created_unix_s_;
  std::unique_ptr<const Tokenizer> tokenizer_;
  PromptBound prompt_bound_;
  ChatTemplates templates_;
  GenerationDefaults defaults_;
  std::unique_ptr<Engine> engine_;
  std::shared_ptr<EventPump> pump_;
};

// Opens the checkpoint, builds all three parts over a LocalEngine, and warms it up. With `random`
// it is a model's shape whose weights are made up (open_dummy).
Result<std::unique_ptr<ServedModel>> load_served_model(
    const std::filesystem::path& path, std::string id, const LocalEngineOptions& options,
    const std::optional<RandomWeights>& random = {});

}  // namespace hangar
