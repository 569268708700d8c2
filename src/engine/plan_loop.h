// PlanLoop: the plan thread's work: requests in, steps planned, laid out and handed over, events
// out.
//
// Promise: while a step is computed the next one is planned; what the results of the first change
//   (ended sequences, the ids of sampled tokens) and what came meanwhile is put right before the
//   second starts. Where the backend runs ahead the second is started at once, its unknown tokens
//   named by their place, and what the first's results change is left out of the third; a sequence
//   that has ended meanwhile has been computed once in vain. With guesses (speculation) the next
//   plan waits for the results, since it is made of them. Every request taken from the mailbox ends
//   in exactly one kFinished.
// Errors: none: a step that fails ends its requests with kFailed.
// Threads: run() on one thread, until the mailbox says stop.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/mailbox.h"
#include "engine/runner.h"
#include "engine/sequence.h"
#include "engine/step.h"
#include "engine/steps.h"
#include "sched/scheduler.h"

namespace hangar {

class PlanLoop {
 public:
  PlanLoop(Mailbox& mailbox, Steps& steps, const SchedulerOptions& options,
           std::int32_t speculate_tokens);
  void run();

 private:
  struct Running {
    std::shared_ptr<const Request> request;
    std::vector<SequenceId> open;  // choices that have not ended; by choice, 0: ended
    std::size_t open_count = 0;
    Usage usage;
    std::optional<FinishReason> failure;  // the first end that was neither stop nor length
  };

  void take_mail(std::optional<std::int64_t> timeout_us);
  void add(Request request);
  void end_cancelled(const Cancellation& cancellation);
  void end_expired();
  // The step's draws and rows; tells kStarted.
  std::unique_ptr<Step> lay_out(StepPlan plan);
  void add_prompt_draws(const StepItem& item, const Sequence& sequence, std::int32_t first_logits,
                        Step& step);
  // drawn_by >= 0: the token before is one that this row of the step under way draws.
  void add_next_draws(const StepItem& item, const Sequence& sequence, std::int32_t first_logits,
                      std::int32_t drawn_by, Step& step);
  void commit(Step& step);
  void commit_item(const StepItem& item, const Step::Draws& draws, Step& step);
  void propose_guesses(const Step& step);
  void end_choice(Sequence& sequence, FinishReason reason, std::int32_t stop_token,
                  const std::string& error = {});
  void end_request(RequestId id, FinishReason reason, const std::string& error = {});
  void publish();
  std::unique_ptr<Step> wait_for_step();
  std::optional<std::int64_t> wait_us() const;
  // A turn of run(), where steps go one after another, and where one is started before the results
  // of the one before are known.
  void turn();
  void turn_ahead();

  Mailbox& mailbox_;
  Steps& steps_;
  Scheduler scheduler_;
  const std::int32_t speculate_tokens_;
  const std::int32_t block_tokens_;
  std::unordered_map<RequestId, Running> requests_;
  std::unordered_map<SequenceId, std::unique_ptr<Sequence>> sequences_;
  // The SampleRow of the last started step that draws a sequence's next token, until it is known.
  std::unordered_map<SequenceId, std::int32_t> pending_rows_;
  // Ended while a step was under way that reads their samplers.
  std::vector<std::unique_ptr<Sequence>> ended_;
  SequenceId next_id_ = 1;
  std::vector<Event> out_;
  EngineStats stats_;
  std::int64_t begin_us_ = 0;   // of run()
  std::int64_t waited_us_ = 0;  // since then, for mail and for steps
  bool stopping_ = false;
  bool idle_ = false;  // the last plan was empty and nothing is under way
};

}  // namespace hangar
