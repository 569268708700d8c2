#include "text/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace hangar {

StopMatcher::StopMatcher(std::vector<std::string> stops) {
  for (std::string& text : stops) {
    if (text.empty()) continue;
    Stop stop{.text = std::move(text), .border = {}};
    stop.border.resize(stop.text.size(), 0);
    for (std::size_t i = 1, border = 0; i < stop.text.size(); ++i) {
      while (border > 0 && stop.text[i] != stop.text[border]) border = stop.border[border - 1];
      if (stop.text[i] == stop.text[border]) ++border;
      stop.border[i] = border;
    }
    stops_.push_back(std::move(stop));
  }
}

void StopMatcher::advance(Stop& stop, char byte) {
  while (stop.matched > 0 && stop.text[stop.matched] != byte) {
    stop.matched = stop.border[stop.matched - 1];
  }
  if (stop.text[stop.matched] == byte) ++stop.matched;
}

std::string StopMatcher::push(std::string_view text) {
  if (stopped_) return {};
  std::size_t held_bytes = held_.size();
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::size_t complete_bytes = 0;
    held_bytes = 0;
    for (Stop& stop : stops_) {
      advance(stop, text[i]);
      held_bytes = std::max(held_bytes, stop.matched);
      if (stop.matched == stop.text.size()) complete_bytes = std::max(complete_bytes, stop.matched);
    }
    if (complete_bytes > 0) {
      stopped_ = true;
      std::string out = std::exchange(held_, {});
      out.append(text.substr(0, i + 1));
      out.resize(out.size() - complete_bytes);
      return out;
    }
  }
  std::string out = std::exchange(held_, {});
  out.append(text);
  held_ = out.substr(out.size() - held_bytes);
  out.resize(out.size() - held_bytes);
  return out;
}

std::string StopMatcher::finish() {
  for (Stop& stop : stops_) stop.matched = 0;
  return std::exchange(held_, {});
}

}  // namespace hangar
