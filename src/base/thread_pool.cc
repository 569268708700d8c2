#include "base/thread_pool.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>

#include "base/processors.h"
#include "base/stop_clock.h"

namespace hangar {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

// Longer than the gaps between a model's operations and steps, shorter than a wait anyone would
// pay for.
constexpr microseconds kMostSpin{100};
// Where others want the processor.
constexpr microseconds kLeastSpin{3};
// How often a worker asks whether it is alone on its processor.
constexpr microseconds kReview{20'000};
// Pieces of one worker's share: a slow processor does not hold up the rest.
constexpr std::int64_t kPieces = 8;

constexpr std::uint64_t kOpen = 1;
constexpr int kNumberShift = 17;
constexpr std::uint64_t kMostThreads = 0xFFFF;
constexpr int kTakenBits = 16;

constexpr std::uint64_t number_of(std::uint64_t loop) {
  return loop >> kNumberShift;
}
constexpr std::uint64_t wanted_by(std::uint64_t loop) {
  return loop >> 1 & kMostThreads;
}

inline void cpu_relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// A store that this thread's next load of another word must not pass. An exchange is what x86 makes
// of a sequentially consistent store anyway; a plain one is passed where Arm code runs under an
// emulator that takes its store-release and load-acquire one by one (QEMU 7.2 on x86).
void publish(std::atomic<std::uint64_t>& word, std::uint64_t value) {
  (void)word.exchange(value, std::memory_order_seq_cst);
}

// Returns when the word is not `value`, when it was woken, or for no reason.
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t value) {
  static_assert(sizeof(word) == sizeof(std::uint32_t));
  ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void futex_wake(std::atomic<std::uint32_t>& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

long involuntary_switches() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nivcsw;
}

void pin_this_thread(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(processor), &set);
  // A processor that has gone offline since: the worker stays where the system puts it.
  (void)::sched_setaffinity(0, sizeof(set), &set);
}

}  // namespace

// How long this worker spins. The system taking the processor away from it a few times within a
// review means that another process wants it: then spinning is time taken from that one, and from
// what is this thread's own fair share when the next loop comes.
class ThreadPool::Spinner {
 public:
  // True as soon as ready() is; false when it is time to sleep.
  template <typename Ready>
  bool spin(Ready ready) {
    constexpr int kBetweenClocks = 16;
    Clock::time_point start;
    for (bool first = true;; first = false) {
      for (int i = 0; i < kBetweenClocks; ++i) {
        if (ready()) return true;
        cpu_relax();
      }
      const Clock::time_point now = Clock::now();
      if (first) start = now;
      if (now - reviewed_at_ > kReview) review(now);
      if (now - start > spin_) return false;
    }
  }

 private:
  void review(Clock::time_point now) {
    const long switches = involuntary_switches();
    if (switches - switches_ >= 3) {
      spin_ = kLeastSpin;
    } else if (switches == switches_) {
      spin_ = std::min(kMostSpin, spin_ * 4);
    }
    switches_ = switches;
    reviewed_at_ = now;
  }

  microseconds spin_ = kMostSpin;
  Clock::time_point reviewed_at_ = Clock::now();
  long switches_ = involuntary_switches();
};

ThreadPool::ThreadPool(int threads, Pinning pinning) {
  if (threads <= 0) threads = available_processors();
  const auto count = std::min<std::uint64_t>(static_cast<std::uint64_t>(threads), kMostThreads);
  seats_ = std::make_unique<Seat[]>(count);
  asleep_ = std::make_unique<Bits[]>((count + 63) / 64);
  const std::vector<Processor> places = processors();
  pinned_ = pinning == Pinning::kOn && count > 1 && count == places.size();
  workers_.reserve(count - 1);
  for (std::size_t i = 1; i < count; ++i) {
    const int place = pinned_ ? places[i].id : -1;
    workers_.emplace_back([this, i, place] {
      (void)::pthread_setname_np(::pthread_self(), "hangar-compute");
      if (place >= 0) pin_this_thread(place);
      worker_loop(static_cast<int>(i));
    });
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  const std::uint64_t everyone = workers_.size() + 1;
  publish(loop_, (number_of(loop_.load()) + 1) << kNumberShift | everyone << 1);
  wake(everyone);
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::parallel_for(std::int64_t n, std::int64_t grain, Body body) {
  if (n <= 0) return;
  grain = std::max<std::int64_t>(1, grain);
  if (workers_.empty() || n <= grain) {
    body(0, n, 0);
    return;
  }
  const std::int64_t most_pieces = threads() * kPieces;
  const std::int64_t wanted_piece = n / most_pieces + (n % most_pieces != 0 ? 1 : 0);
  // In whole grains; a grain of more than n has been dealt with.
  piece_ = std::min(n, (wanted_piece + grain - 1) / grain * grain);
  pieces_ = (n - 1) / piece_ + 1;
  if (pieces_ == 1) {
    body(0, n, 0);
    return;
  }
  StopClock waits(waits_ns_);
  body_ = &body;
  n_ = n;
  sharers_ = static_cast<std::uint64_t>(std::min<std::int64_t>(pieces_, threads()));
  const std::uint64_t number = number_of(loop_.load(std::memory_order_relaxed)) + 1;
  const std::uint64_t closed = number << kNumberShift | sharers_ << 1;
  // Either a worker that goes to sleep sees the new loop, or wake() sees that it sleeps.
  publish(loop_, closed | kOpen);
  wake(sharers_);
  waits.pause();
  run_share(0, number);
  waits.resume();
  // All pieces are taken: nobody joins from here on, and only those who did are waited for. Either
  // a worker that joins sees the loop closed, or this sees it inside.
  publish(loop_, closed);
  for (std::uint64_t i = 1; i < sharers_; ++i) {
    int spins = 0;
    while (seats_[i].inside.load(std::memory_order_seq_cst) == number) {
      cpu_relax();
      // A piece's owner has perhaps lost its processor to whom this one does not matter.
      if (++spins % 1000 == 0) ::sched_yield();
    }
  }
  body_ = nullptr;
}

// Wakes those of the first `wanted` workers that sleep.
void ThreadPool::wake(std::uint64_t wanted) {
  for (std::uint64_t first = 0; first < wanted; first += 64) {
    Bits& word = asleep_[first / 64];
    std::uint64_t sleeping = word.load(std::memory_order_seq_cst);
    if (wanted - first < 64) sleeping &= (std::uint64_t{1} << (wanted - first)) - 1;
    if (sleeping == 0) continue;
    sleeping &= word.fetch_and(~sleeping, std::memory_order_seq_cst);
    for (; sleeping != 0; sleeping &= sleeping - 1) {
      Seat& seat = seats_[first + static_cast<std::uint64_t>(std::countr_zero(sleeping))];
      seat.awake.store(1, std::memory_order_seq_cst);
      futex_wake(seat.awake);
    }
  }
}

// The next piece of an owner's share, or -1. A share that nobody has begun still says the number
// of an earlier loop.
std::int64_t ThreadPool::take_piece(std::uint64_t owner, std::uint64_t number) {
  constexpr std::uint64_t kTaken = (std::uint64_t{1} << kTakenBits) - 1;
  const std::int64_t first = first_piece(owner);
  const auto share = static_cast<std::uint64_t>(first_piece(owner + 1) - first);
  std::atomic<std::uint64_t>& taken = seats_[owner].taken;
  std::uint64_t now = taken.load(std::memory_order_relaxed);
  for (;;) {
    const std::uint64_t before = now >> kTakenBits == number ? now & kTaken : 0;
    if (before >= share) return -1;
    if (taken.compare_exchange_weak(now, number << kTakenBits | (before + 1),
                                    std::memory_order_relaxed)) {
      return first + static_cast<std::int64_t>(before);
    }
  }
}

void ThreadPool::run_share(int worker, std::uint64_t number) {
  const auto me = static_cast<std::uint64_t>(worker);
  for (std::uint64_t i = 0; i < sharers_; ++i) {
    const std::uint64_t owner = me + i < sharers_ ? me + i : me + i - sharers_;
    for (std::int64_t p = take_piece(owner, number); p >= 0; p = take_piece(owner, number)) {
      const std::int64_t begin = p * piece_;
      (*body_)(begin, std::min(n_, begin + piece_), worker);
    }
  }
}

// Enters the loop if it is open and wants this worker.
bool ThreadPool::join(int worker, std::uint64_t loop) {
  if ((loop & kOpen) == 0 || static_cast<std::uint64_t>(worker) >= wanted_by(loop)) return false;
  Seat& seat = seats_[static_cast<std::size_t>(worker)];
  publish(seat.inside, number_of(loop));
  if (loop_.load(std::memory_order_seq_cst) == loop) return true;
  seat.inside.store(0, std::memory_order_release);
  return false;
}

// Until a loop (or the end) calls for this worker that is newer than what it has seen.
void ThreadPool::sleep(int worker, std::uint64_t seen) {
  const auto me = static_cast<std::uint64_t>(worker);
  Seat& seat = seats_[me];
  Bits& word = asleep_[me / 64];
  const std::uint64_t bit = std::uint64_t{1} << (me % 64);
  for (;;) {
    seat.awake.store(0, std::memory_order_seq_cst);
    // A read-modify-write, as in publish().
    word.fetch_or(bit, std::memory_order_seq_cst);
    const std::uint64_t loop = loop_.load(std::memory_order_seq_cst);
    if (number_of(loop) != seen && me < wanted_by(loop)) {
      word.fetch_and(~bit, std::memory_order_seq_cst);
      return;
    }
    while (seat.awake.load(std::memory_order_seq_cst) == 0) futex_wait(seat.awake, 0);
  }
}

std::uint64_t ThreadPool::wait_for_loop(int worker, std::uint64_t seen, Spinner& spinner) {
  const auto me = static_cast<std::uint64_t>(worker);
  std::uint64_t loop = 0;
  const auto called = [&] {
    loop = loop_.load(std::memory_order_acquire);
    return number_of(loop) != seen && me < wanted_by(loop);
  };
  while (!spinner.spin(called)) sleep(worker, seen);
  return loop;
}

void ThreadPool::worker_loop(int worker) {
  Spinner spinner;
  std::uint64_t seen = 0;
  for (;;) {
    const std::uint64_t loop = wait_for_loop(worker, seen, spinner);
    if (stop_.load()) return;
    seen = number_of(loop);
    if (!join(worker, loop)) continue;
    run_share(worker, seen);
    seats_[static_cast<std::size_t>(worker)].inside.store(0, std::memory_order_release);
  }
}

}  // namespace hangar
