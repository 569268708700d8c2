#include "cli/interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <utility>

namespace hangar {
namespace {

// global: a signal handler can reach nothing else.
std::atomic<bool> interrupt_flag{false};
std::atomic<pthread_t> main_thread{};
struct sigaction previous_action{};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_interrupt(int signal) {
  interrupt_flag.store(true);
  // The one that waits is main: pass it on if another thread was chosen.
  const pthread_t main = main_thread.load();
  if (pthread_equal(pthread_self(), main) == 0) pthread_kill(main, signal);
}

sigset_t termination_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

InterruptScope::InterruptScope() {
  interrupt_flag.store(false);
  main_thread.store(pthread_self());
  struct sigaction action{};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = 0;  // no SA_RESTART: waiting calls return
  ::sigaction(SIGINT, &action, &previous_action);
}

InterruptScope::~InterruptScope() {
  ::sigaction(SIGINT, &previous_action, nullptr);
}

bool InterruptScope::taken() {
  return interrupt_flag.exchange(false);
}
bool InterruptScope::pending() {
  return interrupt_flag.load();
}

TerminationWatch::TerminationWatch(std::function<void(int)> on_first)
    : on_first_(std::move(on_first)) {
  const sigset_t set = termination_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal_fd_ = ::signalfd(-1, &set, SFD_CLOEXEC);
  if (::pipe2(stop_pipe_, O_CLOEXEC) != 0 || signal_fd_ < 0) {
    // Without descriptors nothing else would work either; at least let signals end the process.
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    return;
  }
  thread_ = std::thread([this] { watch(); });
}

TerminationWatch::~TerminationWatch() {
  if (thread_.joinable()) {
    const char byte = 0;
    while (::write(stop_pipe_[1], &byte, 1) < 0 && errno == EINTR) {
    }
    thread_.join();
  }
  for (const int fd : {stop_pipe_[0], stop_pipe_[1], signal_fd_}) {
    if (fd >= 0) ::close(fd);
  }
  const sigset_t set = termination_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void TerminationWatch::watch() {
  int seen = 0;
  while (true) {
    pollfd entries[2] = {{stop_pipe_[0], POLLIN, 0}, {signal_fd_, POLLIN, 0}};
    if (::poll(entries, 2, -1) < 0) continue;
    if (entries[0].revents != 0) return;
    signalfd_siginfo info{};
    if (::read(signal_fd_, &info, sizeof info) != sizeof info) continue;
    const int signal = static_cast<int>(info.ssi_signo);
    if (++seen > 1) ::_exit(128 + signal);
    on_first_(signal);
  }
}

}  // namespace hangar
