#include "bench/timeline.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace hangar::bench {
namespace {

double width_for(double elapsed_s) {
  constexpr std::array<double, 14> kWidths = {0.05, 0.1, 0.25, 0.5, 1,   2,   5,
                                              10,   15,  30,   60,  120, 300, 600};
  for (const double width : kWidths) {
    if (elapsed_s <= width * static_cast<double>(Timeline::kMostBuckets)) return width;
  }
  return std::ceil(elapsed_s / static_cast<double>(Timeline::kMostBuckets));
}

class Filler {
 public:
  Filler(Timeline& timeline, std::int64_t begin_us, double elapsed_s)
      : timeline_(timeline), begin_us_(begin_us), elapsed_s_(elapsed_s) {}

  void add_tokens(std::int64_t time_us, double tokens) {
    const double at_s = seconds(time_us);
    if (at_s < 0.0) return;
    const auto bucket = std::min(static_cast<std::size_t>(at_s / timeline_.bucket_s),
                                 timeline_.output_tokens_per_s.size() - 1);
    timeline_.output_tokens_per_s[bucket] += tokens / width_of(bucket);
  }

  // Each bucket gets the part of itself in which the request was at work.
  void add_span(std::int64_t from_us, std::int64_t to_us) {
    const double from_s = std::clamp(seconds(from_us), 0.0, elapsed_s_);
    const double to_s = std::clamp(seconds(to_us), 0.0, elapsed_s_);
    for (auto bucket = static_cast<std::size_t>(from_s / timeline_.bucket_s);
         bucket < timeline_.in_flight.size(); ++bucket) {
      const double begin_s = static_cast<double>(bucket) * timeline_.bucket_s;
      if (begin_s >= to_s) break;
      const double overlap_s =
          std::min(to_s, begin_s + timeline_.bucket_s) - std::max(from_s, begin_s);
      timeline_.in_flight[bucket] += std::max(0.0, overlap_s) / width_of(bucket);
    }
  }

 private:
  double seconds(std::int64_t time_us) const {
    return static_cast<double>(time_us - begin_us_) / 1e6;
  }
  // The last bucket is as wide as what is left of the time.
  double width_of(std::size_t bucket) const {
    const double begin_s = static_cast<double>(bucket) * timeline_.bucket_s;
    return std::max(1e-6, std::min(timeline_.bucket_s, elapsed_s_ - begin_s));
  }

  Timeline& timeline_;
  std::int64_t begin_us_;
  double elapsed_s_;
};

}  // namespace

Timeline make_timeline(std::span<const RequestRecord> records, std::int64_t begin_us,
                       std::int64_t elapsed_us) {
  Timeline timeline;
  if (elapsed_us <= 0) return timeline;
  const double elapsed_s = static_cast<double>(elapsed_us) / 1e6;
  timeline.bucket_s = width_for(elapsed_s);
  const auto buckets =
      std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(elapsed_s / timeline.bucket_s)));
  timeline.output_tokens_per_s.assign(buckets, 0.0);
  timeline.in_flight.assign(buckets, 0.0);
  Filler filler(timeline, begin_us, elapsed_s);
  for (const RequestRecord& record : records) {
    const bool running = record.outcome == Outcome::kRunning;
    filler.add_span(record.start_us, running ? begin_us + elapsed_us : record.end_us);
    if (record.piece_us.empty()) {
      if (!running) filler.add_tokens(record.end_us, record.output_tokens);
      continue;
    }
    const double tokens_per_piece =
        static_cast<double>(record.output_tokens) / static_cast<double>(record.piece_us.size());
    for (const std::int64_t piece : record.piece_us) filler.add_tokens(piece, tokens_per_piece);
  }
  return timeline;
}

}  // namespace hangar::bench
