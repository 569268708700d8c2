// SplitCutter: what becomes a piece where a text is cut at matches.
//
// Promise: given the stretches of a text in order, each a match or not, it hands out the pieces
// that
//   a behaviour makes of them; pieces are never empty. Matches stand alone (isolated), go away
//   (removed), join a stretch before or after them that is no match (merged with previous, next),
//   or join each other (contiguous).
// Threads: one text, one thread.
#pragma once

#include <cstddef>
#include <utility>

#include "text/tokenizer_spec.h"

namespace hangar {

// Emit: void(std::size_t begin, std::size_t end).
template <typename Emit>
class SplitCutter {
 public:
  SplitCutter(SplitBehavior behavior, bool invert, Emit emit)
      : behavior_(behavior), invert_(invert), emit_(std::move(emit)) {}

  // The next stretch; it may be empty where an expression matched nothing.
  void add(std::size_t begin, std::size_t end, bool match) {
    match = match != invert_;
    switch (behavior_) {
      case SplitBehavior::kIsolated:
        give(begin, end);
        return;
      case SplitBehavior::kRemoved:
        if (!match) give(begin, end);
        return;
      case SplitBehavior::kContiguous:
        hold(begin, end, match == previous_match_);
        break;
      case SplitBehavior::kMergedWithPrevious:
        hold(begin, end, match && !previous_match_);
        break;
      case SplitBehavior::kMergedWithNext:
        hold(begin, end, !match && previous_match_);
        break;
    }
    previous_match_ = match;
  }
  void finish() {
    if (held_) give(begin_, end_);
    held_ = false;
  }

 private:
  void give(std::size_t begin, std::size_t end) {
    if (begin < end) emit_(begin, end);
  }
  // Keeps a stretch back, joined to the one kept back before or in its place.
  void hold(std::size_t begin, std::size_t end, bool join) {
    if (held_ && join) {
      end_ = end;
      return;
    }
    if (held_) give(begin_, end_);
    begin_ = begin;
    end_ = end;
    held_ = true;
  }

  SplitBehavior behavior_;
  bool invert_;
  Emit emit_;
  bool held_ = false;
  bool previous_match_ = false;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace hangar
