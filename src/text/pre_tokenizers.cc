#include "text/pre_tokenizers.h"

#include <array>

namespace hangar {
namespace {

constexpr std::array<std::string_view, 3> kGpt2Names = {"gpt-2", "default", ""};
constexpr std::array<std::string_view, 2> kSmolLmNames = {"smollm", "starcoder"};
constexpr std::array<std::string_view, 3> kLlama3Names = {"llama-bpe", "llama3", "llama-v3"};
constexpr std::array<std::string_view, 1> kQwen2Names = {"qwen2"};
constexpr std::array<std::string_view, 1> kQwen35Names = {"qwen35"};
constexpr std::array<std::string_view, 1> kGpt4oNames = {"gpt-4o"};
constexpr std::array<std::string_view, 1> kTekkenNames = {"tekken"};

constexpr std::array<PreTokenizer, 7> kPreTokenizers = {{
    {.names = kGpt2Names,
     .expression = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
    // Two steps in the authors' file: every digit alone, then GPT-2's expression on what lies
    // between. As one: a digit ends the text as far as white space before it is concerned.
    {.names = kSmolLmNames,
     .expression =
         R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+|[\p{N}\x{11de0}-\x{11de9}\x{16ff4}-\x{16ff6}])"
         R"(| ?[^\s\p{L}\p{N}\x{11de0}-\x{11de9}\x{16ff4}-\x{16ff6}]+)"
         R"(|\s+(?![^\s\p{N}\x{11de0}-\x{11de9}\x{16ff4}-\x{16ff6}])|\s+)"},
    {.names = kLlama3Names,
     .expression = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
                   R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     .ignore_merges = true},
    {.names = kQwen2Names,
     .expression = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
                   R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     .normalize_nfc = true},
    {.names = kQwen35Names,
     .expression = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
                   R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     .normalize_nfc = true},
    {.names = kGpt4oNames,
     .expression =
         R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
         R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
         R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
         R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
         R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {.names = kTekkenNames,
     .expression =
         R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
         R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
         R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     .ignore_merges = true},
}};

// What a class stands for inside brackets. Two things differ between PCRE2 and Oniguruma, which the
// authors' expressions run in: PCRE2's \s has U+180E, and its tables may be older (10.42 has
// Unicode 14), so the ranges that came with Unicode 15 to 16 follow each property. Letters and
// digits of ASCII are named again because a bitmap answers for them before a property table is
// asked.
struct CharacterClass {
  std::string_view written;
  std::string_view members;
};

constexpr CharacterClass kClasses[] = {
    {R"(\s)", R"(\t-\r \x85\xa0\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})"},
    {R"(\p{L})", R"(A-Za-z\p{L})"
                 R"(\x{1c89}-\x{1c8a}\x{a7cb}-\x{a7cd}\x{a7da}-\x{a7dc}\x{105c0}-\x{105f3})"
                 R"(\x{10d4a}-\x{10d65}\x{10d6f}-\x{10d85}\x{10ec2}-\x{10ec4}\x{1123f}-\x{11240})"
                 R"(\x{11380}-\x{11389}\x{1138b}\x{1138e}\x{11390}-\x{113b5}\x{113b7}\x{113d1})"
                 R"(\x{113d3}\x{11bc0}-\x{11be0}\x{11f02}\x{11f04}-\x{11f10}\x{11f12}-\x{11f33})"
                 R"(\x{1342f}\x{13441}-\x{13446}\x{13460}-\x{143fa}\x{16100}-\x{1611d})"
                 R"(\x{16d40}-\x{16d6c}\x{18cff}\x{1b132}\x{1b155}\x{1df25}-\x{1df2a})"
                 R"(\x{1e030}-\x{1e06d}\x{1e4d0}-\x{1e4eb}\x{1e5d0}-\x{1e5ed}\x{1e5f0}\x{2b739})"
                 R"(\x{2ebf0}-\x{2ee5d}\x{31350}-\x{323af})"},
    {R"(\p{N})", R"(0-9\p{N})"
                 R"(\x{10d40}-\x{10d49}\x{116d0}-\x{116e3}\x{11bf0}-\x{11bf9}\x{11f50}-\x{11f59})"
                 R"(\x{16130}-\x{16139}\x{16d70}-\x{16d79}\x{1ccf0}-\x{1ccf9}\x{1d2c0}-\x{1d2d3})"
                 R"(\x{1e4f0}-\x{1e4f9}\x{1e5f1}-\x{1e5fa})"},
    {R"(\p{M})", R"(\p{M})"
                 R"(\x{897}\x{cf3}\x{ece}\x{10d69}-\x{10d6d}\x{10efc}-\x{10eff}\x{11241})"
                 R"(\x{113b8}-\x{113c0}\x{113c2}\x{113c5}\x{113c7}-\x{113ca}\x{113cc}-\x{113d0})"
                 R"(\x{113d2}\x{113e1}-\x{113e2}\x{11f00}-\x{11f01}\x{11f03}\x{11f34}-\x{11f3a})"
                 R"(\x{11f3e}-\x{11f42}\x{11f5a}\x{13440}\x{13447}-\x{13455}\x{1611e}-\x{1612f})"
                 R"(\x{1e08f}\x{1e4ec}-\x{1e4ef}\x{1e5ee}-\x{1e5ef})"},
    {R"(\p{Lu})", R"(A-Z\p{Lu})"
                  R"(\x{1c89}\x{a7cb}-\x{a7cc}\x{a7da}\x{a7dc}\x{10d50}-\x{10d65})"},
    {R"(\p{Ll})", R"(a-z\p{Ll})"
                  R"(\x{1c8a}\x{a7cd}\x{a7db}\x{10d70}-\x{10d85}\x{1df25}-\x{1df2a})"},
    {R"(\p{Lt})", R"(\p{Lt})"
                  ""},
    {R"(\p{Lm})", R"(\p{Lm})"
                  R"(\x{10d4e}\x{10d6f}\x{16d40}-\x{16d42}\x{16d6b}-\x{16d6c}\x{1e030}-\x{1e06d})"
                  R"(\x{1e4eb})"},
    {R"(\p{Lo})", R"(\p{Lo})"
                  R"(\x{105c0}-\x{105f3}\x{10d4a}-\x{10d4d}\x{10d4f}\x{10ec2}-\x{10ec4})"
                  R"(\x{1123f}-\x{11240}\x{11380}-\x{11389}\x{1138b}\x{1138e}\x{11390}-\x{113b5})"
                  R"(\x{113b7}\x{113d1}\x{113d3}\x{11bc0}-\x{11be0}\x{11f02}\x{11f04}-\x{11f10})"
                  R"(\x{11f12}-\x{11f33}\x{1342f}\x{13441}-\x{13446}\x{13460}-\x{143fa})"
                  R"(\x{16100}-\x{1611d}\x{16d43}-\x{16d6a}\x{18cff}\x{1b132}\x{1b155})"
                  R"(\x{1e4d0}-\x{1e4ea}\x{1e5d0}-\x{1e5ed}\x{1e5f0}\x{2b739}\x{2ebf0}-\x{2ee5d})"
                  R"(\x{31350}-\x{323af})"},
};

const CharacterClass* class_at(std::string_view expression) {
  for (const CharacterClass& one : kClasses) {
    if (expression.starts_with(one.written)) return &one;
  }
  return nullptr;
}

}  // namespace

const PreTokenizer* find_pre_tokenizer(std::string_view name) {
  for (const PreTokenizer& one : kPreTokenizers) {
    for (const std::string_view known : one.names) {
      if (known == name) return &one;
    }
  }
  return nullptr;
}

std::string known_pre_tokenizers() {
  std::string list;
  for (const PreTokenizer& one : kPreTokenizers) {
    for (const std::string_view name : one.names) {
      if (name.empty()) continue;
      if (!list.empty()) list += ", ";
      list += name;
    }
  }
  return list;
}

std::string portable_expression(std::string_view expression) {
  std::string out;
  bool in_brackets = false;
  while (!expression.empty()) {
    if (const CharacterClass* one = class_at(expression)) {
      if (!in_brackets) out += '[';
      out += one->members;
      if (!in_brackets) out += ']';
      expression.remove_prefix(one->written.size());
    } else if (!in_brackets && expression.starts_with(R"(\S)")) {
      out += "[^";
      out += kClasses[0].members;
      out += ']';
      expression.remove_prefix(2);
    } else {
      const std::size_t length = expression[0] == '\\' && expression.size() > 1 ? 2 : 1;
      if (expression[0] == '[') in_brackets = true;
      if (expression[0] == ']') in_brackets = false;
      out += expression.substr(0, length);
      expression.remove_prefix(length);
    }
  }
  return out;
}

}  // namespace hangar
