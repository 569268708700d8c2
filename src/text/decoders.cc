#include "text/decoders.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "text/byte_spelling.h"
#include "text/text_matcher.h"
#include "text/utf8.h"

namespace hangar {
namespace {

constexpr std::string_view kReplacement = "\uFFFD";

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  std::size_t at = text.find(from);
  if (from.empty() || at == std::string::npos) return;
  std::string out;
  std::size_t done = 0;
  for (; at != std::string::npos; at = text.find(from, done)) {
    out.append(text, done, at - done).append(to);
    done = at + from.size();
  }
  text = out.append(text, done);
}

std::string joined(const std::vector<std::string>& tokens) {
  std::string all;
  for (const std::string& token : tokens) all += token;
  return all;
}

class ByteLevelDecoder final : public DecoderStage {
 public:
  void decode(std::vector<std::string>& tokens) const override {
    std::string all;
    for (const std::string& token : tokens) append(token, all);
    tokens.clear();
    tokens.push_back(std::move(all));
  }
  void decode_inside(std::string& token) const override {
    std::string bytes;
    append(token, bytes);
    token = std::move(bytes);
  }

 private:
  // A token with a character that stands for no byte is taken as it is.
  static void append(std::string_view token, std::string& out) {
    if (!append_unspelled(token, out)) out.append(token);
  }
};

class MetaspaceDecoder final : public DecoderStage {
 public:
  MetaspaceDecoder(std::string replacement, PrependScheme prepend)
      : replacement_(std::move(replacement)), strips_first_(prepend != PrependScheme::kNever) {}
  void decode(std::vector<std::string>& tokens) const override {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      replace_all(tokens[i], replacement_, i == 0 && strips_first_ ? "" : " ");
    }
  }
  void decode_inside(std::string& token) const override { replace_all(token, replacement_, " "); }

 private:
  std::string replacement_;
  bool strips_first_;
};

class WordPieceDecoder final : public DecoderStage {
 public:
  WordPieceDecoder(std::string prefix, bool cleanup)
      : prefix_(std::move(prefix)), cleanup_(cleanup) {}
  void decode(std::vector<std::string>& tokens) const override {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0) {
        decode_inside(tokens[i]);
      } else if (cleanup_) {
        clean_up(tokens[i]);
      }
    }
  }
  void decode_inside(std::string& token) const override {
    if (token.starts_with(prefix_)) {
      token.erase(0, prefix_.size());
    } else {
      token.insert(token.begin(), ' ');
    }
    if (cleanup_) clean_up(token);
  }

 private:
  static void clean_up(std::string& text) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kRules = {
        {{" .", "."},
         {" ?", "?"},
         {" !", "!"},
         {" ,", ","},
         {" ' ", "'"},
         {" n't", "n't"},
         {" 'm", "'m"},
         {" do not", " don't"},
         {" 's", "'s"},
         {" 've", "'ve"},
         {" 're", "'re"}}};
    for (const auto& [from, to] : kRules) replace_all(text, from, to);
  }

  std::string prefix_;
  bool cleanup_;
};

class ByteFallbackDecoder final : public DecoderStage {
 public:
  void decode(std::vector<std::string>& tokens) const override {
    std::vector<std::string> out;
    out.reserve(tokens.size());
    std::string bytes;
    const auto flush = [&] {
      if (valid_utf8_prefix(bytes) == bytes.size()) {
        if (!bytes.empty()) out.push_back(bytes);
      } else {
        out.insert(out.end(), bytes.size(), std::string(kReplacement));
      }
      bytes.clear();
    };
    for (std::string& token : tokens) {
      if (const auto byte = byte_of_token(token)) {
        bytes += *byte;
        continue;
      }
      flush();
      out.push_back(std::move(token));
    }
    flush();
    tokens = std::move(out);
  }
  void decode_inside(std::string& token) const override {
    if (const auto byte = byte_of_token(token)) token.assign(1, *byte);
  }
};

class FuseDecoder final : public DecoderStage {
 public:
  void decode(std::vector<std::string>& tokens) const override { tokens.assign(1, joined(tokens)); }
  void decode_inside(std::string& /*token*/) const override {}
};

class StripDecoder final : public DecoderStage {
 public:
  // after_fuse: what comes is the whole text, so inside of it nothing is stripped.
  StripDecoder(std::string character, std::uint32_t start, std::uint32_t stop, bool after_fuse)
      : character_(std::move(character)), start_(start), stop_(stop), after_fuse_(after_fuse) {}
  void decode(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) strip(token);
  }
  void decode_inside(std::string& token) const override {
    if (!after_fuse_) strip(token);
  }

 private:
  void strip(std::string& token) const {
    std::string_view rest = token;
    for (std::uint32_t i = 0; i < start_ && rest.starts_with(character_); ++i) {
      rest.remove_prefix(character_.size());
    }
    for (std::uint32_t i = 0; i < stop_ && rest.ends_with(character_); ++i) {
      rest.remove_suffix(character_.size());
    }
    if (rest.size() != token.size()) token = std::string(rest);
  }

  std::string character_;
  std::uint32_t start_;
  std::uint32_t stop_;
  bool after_fuse_;
};

class ReplaceDecoder final : public DecoderStage {
 public:
  ReplaceDecoder(TextMatcher matcher, std::string content)
      : matcher_(std::move(matcher)), content_(std::move(content)) {}
  void decode(std::vector<std::string>& tokens) const override {
    TextMatcher::Cursor cursor = matcher_.make_cursor();
    for (std::string& token : tokens) replace(token, cursor);
  }
  void decode_inside(std::string& token) const override {
    if (matcher_.is_string()) {
      replace_all(token, matcher_.string(), content_);
      return;
    }
    TextMatcher::Cursor cursor = matcher_.make_cursor();
    replace(token, cursor);
  }

 private:
  void replace(std::string& token, TextMatcher::Cursor& cursor) const {
    if (matcher_.is_string() && !matcher_.string().empty()) {
      replace_all(token, matcher_.string(), content_);
      return;
    }
    std::string out;
    std::size_t done = 0;
    // Broken bytes of ByteLevel's tokens are no text for an expression.
    if (valid_utf8_prefix(token) != token.size()) return;
    matcher_.for_each_match(token, cursor, [&](std::size_t begin, std::size_t end) {
      out.append(token, done, begin - done).append(content_);
      done = end;
    });
    token = out.append(token, done);
  }

  TextMatcher matcher_;
  std::string content_;
};

class BpeDecoder final : public DecoderStage {
 public:
  explicit BpeDecoder(std::string suffix) : suffix_(std::move(suffix)) {}
  void decode(std::vector<std::string>& tokens) const override {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      replace_all(tokens[i], suffix_, i + 1 == tokens.size() ? "" : " ");
    }
  }
  void decode_inside(std::string& token) const override { replace_all(token, suffix_, " "); }

 private:
  std::string suffix_;
};

using StagePtr = std::unique_ptr<const DecoderStage>;

bool is_one_character(std::string_view text) {
  if (text.empty()) return false;
  const Utf8Unit unit = next_utf8(text);
  return unit.valid && unit.bytes == text.size();
}

Result<StagePtr> make_stage(const DecoderSpec& spec, bool after_fuse) {
  switch (spec.kind) {
    case DecoderKind::kByteLevel:
      return std::make_unique<ByteLevelDecoder>();
    case DecoderKind::kMetaspace:
      if (!is_one_character(spec.replacement)) break;
      return std::make_unique<MetaspaceDecoder>(spec.replacement, spec.prepend);
    case DecoderKind::kWordPiece:
      return std::make_unique<WordPieceDecoder>(spec.content, spec.cleanup);
    case DecoderKind::kByteFallback:
      return std::make_unique<ByteFallbackDecoder>();
    case DecoderKind::kFuse:
      return std::make_unique<FuseDecoder>();
    case DecoderKind::kStrip:
      if (!is_one_character(spec.content)) break;
      return std::make_unique<StripDecoder>(spec.content, spec.start, spec.stop, after_fuse);
    case DecoderKind::kReplace: {
      HANGAR_TRY(TextMatcher matcher, TextMatcher::build(spec.pattern));
      return std::make_unique<ReplaceDecoder>(std::move(matcher), spec.content);
    }
    case DecoderKind::kBpe:
      return std::make_unique<BpeDecoder>(spec.content);
  }
  return make_error(ErrorCode::kCorrupt,
                    "tokenizer: what decoder {} replaces or strips is not one character",
                    static_cast<int>(spec.kind));
}

}  // namespace

std::optional<char> byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  unsigned value = 0;
  const char* first = token.data() + (token[3] == '+' ? 4 : 3);  // as Rust reads a number
  const auto [end, error] = std::from_chars(first, token.data() + 5, value, 16);
  if (error != std::errc() || end != token.data() + 5) return std::nullopt;
  return static_cast<char>(value);
}

Result<Decoders> Decoders::build(const std::vector<DecoderSpec>& specs) {
  Decoders decoders;
  bool fused = false;
  for (const DecoderSpec& spec : specs) {
    HANGAR_TRY(StagePtr stage, make_stage(spec, fused));
    decoders.stages_.push_back(std::move(stage));
    fused = fused || spec.kind == DecoderKind::kFuse || spec.kind == DecoderKind::kByteLevel;
  }
  decoders.byte_level_ = specs.size() == 1 && specs[0].kind == DecoderKind::kByteLevel;
  return decoders;
}

std::string Decoders::decode(std::vector<std::string> tokens) const {
  if (stages_.empty()) {
    std::string all;
    for (const std::string& token : tokens) {
      if (&token != tokens.data()) all += ' ';
      all += token;
    }
    return all;
  }
  for (const StagePtr& stage : stages_) stage->decode(tokens);
  return joined(tokens);
}

void Decoders::append_inside(std::string_view token, std::string& out) const {
  if (byte_level_) {
    if (!append_unspelled(token, out)) out.append(token);
    return;
  }
  std::string text(stages_.empty() ? " " : "");
  text.append(token);
  for (const StagePtr& stage : stages_) stage->decode_inside(text);
  out.append(text);
}

}  // namespace hangar
