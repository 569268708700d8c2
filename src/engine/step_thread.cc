#include "engine/step_thread.h"

#include <spdlog/spdlog.h>

#include <exception>
#include <utility>

#include "base/clock.h"

namespace hangar {

StepThread::StepThread(Runner& runner) : runner_(runner), thread_([this] { loop(); }) {}

StepThread::~StepThread() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void StepThread::start(std::unique_ptr<Step> step) {
  {
    std::lock_guard lock(mutex_);
    todo_ = std::move(step);
    running_since_us_.store(steady_now_us());
  }
  changed_.notify_all();
}

std::unique_ptr<Step> StepThread::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return done_ != nullptr; });
  running_since_us_.store(0);
  return std::move(done_);
}

void StepThread::loop() {
  for (;;) {
    std::unique_ptr<Step> step;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return todo_ != nullptr || ending_; });
      if (todo_ == nullptr) return;
      step = std::move(todo_);
    }
    const std::int64_t start_us = steady_now_us();
    try {
      runner_.run(step->batch, step->plan.copies);
      step->sampled.resize(step->rows.size());
      runner_.sample(step->rows, step->sampled);
    } catch (const std::exception& error) {
      spdlog::error("a step of {} rows failed: {}", step->plan.rows, error.what());
      step->error = error.what();
    }
    step->took_us = steady_now_us() - start_us;
    {
      std::lock_guard lock(mutex_);
      done_ = std::move(step);
    }
    changed_.notify_all();
  }
}

}  // namespace hangar
