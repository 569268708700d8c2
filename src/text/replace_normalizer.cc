#include "text/replace_normalizer.h"

#include <utility>

#include "text/text_matcher.h"

namespace hangar {
namespace {

class ReplaceStage final : public NormalizerStage {
 public:
  ReplaceStage(TextMatcher matcher, std::string content)
      : matcher_(std::move(matcher)), content_(std::move(content)) {}

  bool keeps(std::string_view text) const override {
    return text.empty() || (matcher_.is_string() && !matcher_.string().empty() &&
                            text.find(matcher_.string()) == std::string_view::npos);
  }

  std::size_t append(std::string_view text, std::string& out) const override {
    TextMatcher::Cursor cursor = matcher_.make_cursor();
    out.reserve(text.size() + text.size() / 2);
    std::size_t done = 0;
    std::size_t cut = 0;
    matcher_.for_each_match(text, cursor, [&](std::size_t begin, std::size_t end) {
      out.append(text.substr(done, begin - done)).append(content_);
      done = end;
      if (out.empty()) cut = end;
    });
    out.append(text.substr(done));
    return cut;
  }

 private:
  TextMatcher matcher_;
  std::string content_;
};

}  // namespace

Result<std::unique_ptr<const NormalizerStage>> make_replace_normalizer(const NormalizerSpec& spec) {
  HANGAR_TRY(TextMatcher matcher, TextMatcher::build(spec.pattern));
  return std::make_unique<ReplaceStage>(std::move(matcher), spec.content);
}

}  // namespace hangar
