#include "text/grapheme.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

#include "text/utf8.h"

namespace hangar {
namespace {

struct CodePoints {
  char32_t first = 0;
  char32_t last = 0;
};

bool is_among(std::span<const CodePoints> ranges, char32_t code_point) {
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), code_point,
                       [](char32_t point, const CodePoints& range) { return point < range.first; });
  return after != ranges.begin() && code_point <= std::prev(after)->last;
}

// Marks that are newer than utf8proc's tables.
constexpr std::array kNewMarks = std::to_array<CodePoints>(
    {{0x897, 0x897},     {0x1ACF, 0x1ADD},   {0x1AE0, 0x1AEB},   {0x10D69, 0x10D6D},
     {0x10EFA, 0x10EFC}, {0x113B8, 0x113C0}, {0x113C2, 0x113C2}, {0x113C5, 0x113C5},
     {0x113C7, 0x113CA}, {0x113CC, 0x113D0}, {0x113D2, 0x113D2}, {0x113E1, 0x113E2},
     {0x11B60, 0x11B67}, {0x11F5A, 0x11F5A}, {0x1611E, 0x1612F}, {0x1E5EE, 0x1E5EF},
     {0x1E6E3, 0x1E6E3}, {0x1E6E6, 0x1E6E6}, {0x1E6EE, 0x1E6EF}, {0x1E6F5, 0x1E6F5}});

// Unassigned, and ignorable by default: controls, which utf8proc's tables do not say.
constexpr std::array kUnassignedControls = std::to_array<CodePoints>({{0x2065, 0x2065},
                                                                      {0xFFF0, 0xFFF8},
                                                                      {0xE0000, 0xE0000},
                                                                      {0xE0002, 0xE001F},
                                                                      {0xE0080, 0xE00FF},
                                                                      {0xE01F0, 0xE0FFF}});

// Indic_Conjunct_Break=Linker.
constexpr std::array kLinkers = std::to_array<CodePoints>(
    {{0x94D, 0x94D},     {0x9CD, 0x9CD},     {0xACD, 0xACD},     {0xB4D, 0xB4D},
     {0xC4D, 0xC4D},     {0xD4D, 0xD4D},     {0x1039, 0x1039},   {0x17D2, 0x17D2},
     {0x1A60, 0x1A60},   {0x1B44, 0x1B44},   {0x1BAB, 0x1BAB},   {0xA9C0, 0xA9C0},
     {0xAAF6, 0xAAF6},   {0x10A3F, 0x10A3F}, {0x11133, 0x11133}, {0x113D0, 0x113D0},
     {0x1193E, 0x1193E}, {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11F42, 0x11F42}});

// Indic_Conjunct_Break=Consonant, up to U+FFFF.
constexpr std::array kConsonants = std::to_array<CodePoints>(
    {{0x915, 0x939},   {0x958, 0x95F},   {0x978, 0x97F},   {0x995, 0x9A8},   {0x9AA, 0x9B0},
     {0x9B2, 0x9B2},   {0x9B6, 0x9B9},   {0x9DC, 0x9DD},   {0x9DF, 0x9DF},   {0x9F0, 0x9F1},
     {0xA95, 0xAA8},   {0xAAA, 0xAB0},   {0xAB2, 0xAB3},   {0xAB5, 0xAB9},   {0xAF9, 0xAF9},
     {0xB15, 0xB28},   {0xB2A, 0xB30},   {0xB32, 0xB33},   {0xB35, 0xB39},   {0xB5C, 0xB5D},
     {0xB5F, 0xB5F},   {0xB71, 0xB71},   {0xC15, 0xC28},   {0xC2A, 0xC39},   {0xC58, 0xC5A},
     {0xD15, 0xD3A},   {0x1000, 0x102A}, {0x103F, 0x103F}, {0x1050, 0x1055}, {0x105A, 0x105D},
     {0x1061, 0x1061}, {0x1065, 0x1066}, {0x106E, 0x1070}, {0x1075, 0x1081}, {0x108E, 0x108E},
     {0x1780, 0x17B3}, {0x1A20, 0x1A54}, {0x1B0B, 0x1B0C}, {0x1B13, 0x1B33}, {0x1B45, 0x1B4C},
     {0x1B83, 0x1BA0}, {0x1BAE, 0x1BAF}, {0x1BBB, 0x1BBD}, {0xA989, 0xA98B}, {0xA98F, 0xA9B2},
     {0xA9E0, 0xA9E4}, {0xA9E7, 0xA9EF}, {0xA9FA, 0xA9FE}, {0xAA60, 0xAA6F}, {0xAA71, 0xAA73},
     {0xAA7A, 0xAA7A}, {0xAA7E, 0xAA7F}, {0xAAE0, 0xAAEA}, {0xABC0, 0xABDA}});

constexpr char32_t kZeroWidthNonJoiner = 0x200C;

int class_of(char32_t code_point) {
  if (code_point >= 0x897 && is_among(kNewMarks, code_point)) return UTF8PROC_BOUNDCLASS_EXTEND;
  if (code_point == 0x113D1) return UTF8PROC_BOUNDCLASS_PREPEND;
  if (code_point == 0x11A3A) return UTF8PROC_BOUNDCLASS_OTHER;
  if (is_among(kUnassignedControls, code_point)) return UTF8PROC_BOUNDCLASS_CONTROL;
  return static_cast<int>(
      utf8proc_get_property(static_cast<utf8proc_int32_t>(code_point))->boundclass);
}

bool is_control(int boundclass) {
  return boundclass == UTF8PROC_BOUNDCLASS_CONTROL || boundclass == UTF8PROC_BOUNDCLASS_CR ||
         boundclass == UTF8PROC_BOUNDCLASS_LF;
}

bool is_hangul_pair(int left, int right) {
  switch (left) {
    case UTF8PROC_BOUNDCLASS_L:
      return right == UTF8PROC_BOUNDCLASS_L || right == UTF8PROC_BOUNDCLASS_V ||
             right == UTF8PROC_BOUNDCLASS_LV || right == UTF8PROC_BOUNDCLASS_LVT;
    case UTF8PROC_BOUNDCLASS_LV:
    case UTF8PROC_BOUNDCLASS_V:
      return right == UTF8PROC_BOUNDCLASS_V || right == UTF8PROC_BOUNDCLASS_T;
    case UTF8PROC_BOUNDCLASS_LVT:
    case UTF8PROC_BOUNDCLASS_T:
      return right == UTF8PROC_BOUNDCLASS_T;
    default:
      return false;
  }
}

// The characters of a cluster so far.
class Cluster {
 public:
  explicit Cluster(char32_t first) { add(first, class_of(first)); }

  // Takes the next character in, if no boundary lies before it.
  bool join(char32_t next) {
    const int next_class = class_of(next);
    if (!joins(next, next_class)) return false;
    add(next, next_class);
    return true;
  }

 private:
  enum class Pictograph { kNone, kSeen, kSeenAndJoiner };
  enum class Conjunct { kNone, kConsonant, kLinked };

  // The rules' numbers are those of the annex.
  bool joins(char32_t next, int next_class) const {
    if (last_class_ == UTF8PROC_BOUNDCLASS_CR && next_class == UTF8PROC_BOUNDCLASS_LF) return true;
    if (is_control(last_class_) || is_control(next_class)) return false;  // GB3 to GB5
    if (is_hangul_pair(last_class_, next_class)) return true;             // GB6 to GB8
    if (next_class == UTF8PROC_BOUNDCLASS_EXTEND || next_class == UTF8PROC_BOUNDCLASS_ZWJ ||
        next_class == UTF8PROC_BOUNDCLASS_SPACINGMARK ||
        last_class_ == UTF8PROC_BOUNDCLASS_PREPEND) {
      return true;  // GB9, GB9a, GB9b
    }
    if (conjunct_ == Conjunct::kLinked && is_among(kConsonants, next)) return true;  // GB9c
    if (next_class == UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC) {
      return pictograph_ == Pictograph::kSeenAndJoiner;  // GB11
    }
    return next_class == UTF8PROC_BOUNDCLASS_REGIONAL_INDICATOR && flag_halves_ % 2 == 1;  // GB12
  }

  void add(char32_t next, int next_class) {
    const bool extends =
        next_class == UTF8PROC_BOUNDCLASS_EXTEND || next_class == UTF8PROC_BOUNDCLASS_ZWJ;
    if (next_class == UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC) {
      pictograph_ = Pictograph::kSeen;
    } else if (pictograph_ == Pictograph::kSeen && next_class == UTF8PROC_BOUNDCLASS_ZWJ) {
      pictograph_ = Pictograph::kSeenAndJoiner;
    } else if (pictograph_ != Pictograph::kSeen || next_class != UTF8PROC_BOUNDCLASS_EXTEND) {
      pictograph_ = Pictograph::kNone;
    }
    if (is_among(kConsonants, next)) {
      conjunct_ = Conjunct::kConsonant;
    } else if (conjunct_ != Conjunct::kNone && is_among(kLinkers, next)) {
      conjunct_ = Conjunct::kLinked;
    } else if (!extends || next == kZeroWidthNonJoiner) {
      conjunct_ = Conjunct::kNone;
    }
    flag_halves_ = next_class == UTF8PROC_BOUNDCLASS_REGIONAL_INDICATOR ? flag_halves_ + 1 : 0;
    last_class_ = next_class;
  }

  int last_class_ = UTF8PROC_BOUNDCLASS_START;
  Pictograph pictograph_ = Pictograph::kNone;
  Conjunct conjunct_ = Conjunct::kNone;
  std::size_t flag_halves_ = 0;
};

}  // namespace

std::size_t first_grapheme(std::string_view text) {
  const Utf8Unit first = next_utf8(text);
  std::size_t bytes = first.bytes;
  if (!first.valid) return bytes;
  Cluster cluster(first.code_point);
  while (bytes < text.size()) {
    const Utf8Unit next = next_utf8(text.substr(bytes));
    if (!next.valid || !cluster.join(next.code_point)) break;
    bytes += next.bytes;
  }
  return bytes;
}

}  // namespace hangar
