#include "text/pre_tokenizers.h"

#include <array>
#include <span>

#include "text/shown.h"

namespace hangar {
namespace {

// One stage: a Split that isolates its matches, or another kind with its usual settings.
struct Stage {
  PreTokenizerKind kind = PreTokenizerKind::kSplit;
  std::string_view expression;
};

struct Entry {
  std::span<const std::string_view> names;  // GGUF's names for it; the first is the usual one
  std::span<const Stage> stages;            // the bytes become visible after them, or in them
  bool ignore_merges = false;               // a piece that is a token is taken whole
  bool nfc = false;                         // text is brought to Unicode's form NFC first
};

constexpr std::string_view kGpt2Expression =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

constexpr Stage kGpt2Regex = {.kind = PreTokenizerKind::kByteLevel, .expression = kGpt2Expression};
constexpr Stage kEachDigit = {.kind = PreTokenizerKind::kDigits, .expression = ""};
constexpr Stage split(std::string_view expression) {
  return {.kind = PreTokenizerKind::kSplit, .expression = expression};
}

constexpr std::array kGpt2 = {kGpt2Regex};
constexpr std::array kStarCoder = {kEachDigit, kGpt2Regex};
constexpr std::array kLlama3 = {
    split(R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
          R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr std::array kQwen2 = {
    split(R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
          R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr std::array kQwen35 = {
    split(R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
          R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr std::array kGpt4o = {
    split(R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
          R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
          R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
          R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
          R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr std::array kTekken = {
    split(R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
          R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
          R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr std::array kDeepSeekLlm = {
    split(R"([\r\n])"),
    split(R"(\s?[A-Za-z\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf})"
          R"(\x{1c4}-\x{293}\x{295}-\x{2af}\x{370}-\x{373}\x{376}\x{377}\x{37b}-\x{37d}\x{37f})"
          R"(\x{386}\x{388}-\x{38a}\x{38c}\x{38e}-\x{3a1}\x{3a3}-\x{3f5}\x{3f7}-\x{481})"
          R"(\x{48a}-\x{52f}\x{531}-\x{556}\x{10a0}-\x{10c5}\x{13a0}-\x{13f5}\x{13f8}-\x{13fd})"
          R"(\x{1c90}-\x{1cba}\x{1cbd}-\x{1cbf}\x{1d00}-\x{1d2b}\x{1d6b}-\x{1d77})"
          R"(\x{1d79}-\x{1d9a}\x{1e00}-\x{1f15}\x{1f18}-\x{1f1d}\x{1f20}-\x{1f45})"
          R"(\x{1f48}-\x{1f4d}\x{1f50}-\x{1f57}\x{1f59}\x{1f5b}\x{1f5d}\x{1f5f}-\x{1f7d})"
          R"(\x{1f80}-\x{1fb4}\x{1fb6}-\x{1fbc}\x{1fbe}\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc})"
          R"(\x{1fd0}-\x{1fd3}\x{1fd6}-\x{1fdb}\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4})"
          R"(\x{1ff6}-\x{1ffc}\x{2102}\x{2107}\x{210a}-\x{2113}\x{2115}\x{2119}-\x{211d})"
          R"(\x{2124}\x{2126}\x{2128}\x{212a}-\x{212d}\x{212f}-\x{2134}\x{2139})"
          R"(\x{213c}-\x{213f}\x{2145}-\x{2149}\x{214e}\x{2183}\x{2184}\x{2c00}-\x{2c7b})"
          R"(\x{2c7e}-\x{2ce4}\x{2ceb}-\x{2cee}\x{2cf2}\x{2cf3}\x{a640}-\x{a66d})"
          R"(\x{a680}-\x{a69b}\x{a722}-\x{a76f}\x{a771}-\x{a787}\x{a78b}-\x{a78e})"
          R"(\x{ab70}-\x{abbf}\x{fb00}-\x{fb06}\x{fb13}-\x{fb17}\x{ff21}-\x{ff3a})"
          R"(\x{ff41}-\x{ff5a}\x{10400}-\x{1044f}\x{104b0}-\x{104d3}\x{104d8}-\x{104fb})"
          R"(\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df}\x{1e900}-\x{1e943}]+)"),
    split(R"(\s?[!-/:-~\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff5e}\x{2018}-\x{201f}\x{3000}-\x{3002}]+)"),
    split(R"(\s+$)"),
    split(R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)"),
    kEachDigit};
constexpr std::array kDeepSeekCoder = {
    split(R"([\r\n])"), split(R"(\s?\p{L}+)"), split(R"(\s?\p{P}+)"),
    split(R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)"), kEachDigit};
constexpr std::array kDeepSeekV3 = {
    split(R"(\p{N}{1,3})"), split(R"([\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)"),
    split(R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+)"
          R"(|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*)"
          R"(|\s*[\r\n]+|\s+(?!\S)|\s+)")};
// Its last two stages cut the visible characters that stand for bytes, not the text.
constexpr std::array kFalcon = {
    Stage{.kind = PreTokenizerKind::kPunctuation, .expression = ""}, kGpt2Regex,
    Stage{.kind = PreTokenizerKind::kDigits, .expression = "contiguous"}, split("[0-9][0-9][0-9]")};
constexpr std::array kBloom = {
    split(R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{ff0c}\x{3001}\x{964}\x{6d4}\x{60c})]+)")};
constexpr std::array kViking = {
    split(R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{ff0c}\x{3001}\x{964}\x{6d4}\x{60c})]+)"), kEachDigit};
constexpr std::array kSeedCoder = {
    split(R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1})"
          R"(| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)")};
constexpr std::array kBailing = {split(R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N})"
                                       R"(| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)")};

using Names = std::string_view;
constexpr Names kGpt2Names[] = {"gpt-2",  "default",    "",           "phi-2",
                                "jais",   "gigachat",   "exaone4",    "a.x-4.0",
                                "mellum", "jina-v2-es", "jina-v2-de", "granite-docling"};
constexpr Names kMptNames[] = {"mpt", "olmo", "trillion", "modern-bert"};
constexpr Names kStarCoderNames[] = {"smollm",    "starcoder", "refact",
                                     "codeshell", "exaone",    "minerva-7b"};
constexpr Names kCommandRNames[] = {"command-r"};
constexpr Names kLlama3Names[] = {"llama-bpe", "llama3",    "llama-v3", "falcon3",
                                  "pixtral",   "falcon-h1", "lfm2",     "glm4"};
constexpr Names kDbrxNames[] = {"dbrx", "smaug-bpe", "chatglm-bpe"};
constexpr Names kQwen2Names[] = {"qwen2", "deepseek-r1-qwen", "megrez"};
constexpr Names kStableLm2Names[] = {"stablelm2", "hunyuan", "grok-2"};
constexpr Names kQwen35Names[] = {"qwen35"};
constexpr Names kGpt4oNames[] = {"gpt-4o", "o200k", "minimax-m2"};
constexpr Names kLlama4Names[] = {"llama4"};
constexpr Names kTekkenNames[] = {"tekken"};
constexpr Names kDeepSeekLlmNames[] = {"deepseek-llm"};
constexpr Names kDeepSeekCoderNames[] = {"deepseek-coder"};
constexpr Names kDeepSeekV3Names[] = {"deepseek-v3", "hunyuan-dense", "joyai-llm"};
constexpr Names kFalconNames[] = {"falcon"};
constexpr Names kBloomNames[] = {"bloom", "poro-chat", "gpt3-finnish"};
constexpr Names kVikingNames[] = {"viking"};
constexpr Names kSeedCoderNames[] = {"seed-coder"};
constexpr Names kBailingNames[] = {"bailingmoe", "bailingmoe2", "llada-moe"};

constexpr Entry kEntries[] = {
    {.names = kGpt2Names, .stages = kGpt2},
    {.names = kMptNames, .stages = kGpt2, .nfc = true},
    {.names = kStarCoderNames, .stages = kStarCoder},
    {.names = kCommandRNames, .stages = kStarCoder, .nfc = true},
    {.names = kLlama3Names, .stages = kLlama3, .ignore_merges = true},
    {.names = kDbrxNames, .stages = kLlama3},
    {.names = kQwen2Names, .stages = kQwen2, .nfc = true},
    {.names = kStableLm2Names, .stages = kQwen2},
    {.names = kQwen35Names, .stages = kQwen35, .nfc = true},
    {.names = kGpt4oNames, .stages = kGpt4o},
    {.names = kLlama4Names, .stages = kGpt4o, .ignore_merges = true},
    {.names = kTekkenNames, .stages = kTekken, .ignore_merges = true},
    {.names = kDeepSeekLlmNames, .stages = kDeepSeekLlm},
    {.names = kDeepSeekCoderNames, .stages = kDeepSeekCoder},
    {.names = kDeepSeekV3Names, .stages = kDeepSeekV3},
    {.names = kFalconNames, .stages = kFalcon},
    {.names = kBloomNames, .stages = kBloom},
    {.names = kVikingNames, .stages = kViking},
    {.names = kSeedCoderNames, .stages = kSeedCoder},
    {.names = kBailingNames, .stages = kBailing},
};

const Entry* find_entry(std::string_view name) {
  for (const Entry& one : kEntries) {
    for (const std::string_view known : one.names) {
      if (known == name) return &one;
    }
  }
  return nullptr;
}

PreTokenizerSpec spec_of(const Stage& stage) {
  PreTokenizerSpec spec;
  spec.kind = stage.kind;
  switch (stage.kind) {
    case PreTokenizerKind::kPunctuation:
      spec.behavior = SplitBehavior::kContiguous;
      break;
    case PreTokenizerKind::kDigits:
      spec.individual = stage.expression.empty();
      break;
    case PreTokenizerKind::kByteLevel:
      break;
    default:
      spec.pattern = {.text = std::string(stage.expression), .regex = true};
  }
  return spec;
}

}  // namespace

std::string_view gpt2_expression() {
  return kGpt2Expression;
}

Status apply_pre_tokenizer(std::string_view name, TokenizerSpec& spec) {
  const Entry* entry = find_entry(name);
  if (entry == nullptr) {
    return make_error(ErrorCode::kUnsupported,
                      "tokenizer: the pre-tokenizer \"{}\" is not known; known are: {}",
                      shown(name), known_pre_tokenizers());
  }
  spec.normalizers.clear();
  if (entry->nfc) spec.normalizers.push_back({.kind = NormalizerKind::kNfc});
  spec.pre_tokenizers.clear();
  bool visible = false;
  for (const Stage& stage : entry->stages) {
    spec.pre_tokenizers.push_back(spec_of(stage));
    visible = visible || stage.kind == PreTokenizerKind::kByteLevel;
  }
  if (!visible) {
    spec.pre_tokenizers.push_back({.kind = PreTokenizerKind::kByteLevel, .use_regex = false});
  }
  spec.decoders.assign(1, {.kind = DecoderKind::kByteLevel});
  spec.ignore_merges = entry->ignore_merges;
  return {};
}

std::string known_pre_tokenizers() {
  std::string list;
  for (const Entry& one : kEntries) {
    for (const std::string_view name : one.names) {
      if (name.empty()) continue;
      if (!list.empty()) list += ", ";
      list += name;
    }
  }
  return list;
}

}  // namespace hangar
