// Unicode as Hugging Face's tokenizers has it: ranges of characters, in the generated *_data.cc.
//
// Promise: each list is ascending and without overlap. Its parts were built with tables of several
//   Unicode versions; the lists hold what each really does (tools/make_unicode_tables.py).
// Threads: constant data.
#pragma once

#include <cstdint>
#include <span>

namespace hangar {

struct CodePointRange {
  char32_t first = 0;
  char32_t last = 0;
};
std::span<const CodePointRange> punctuation_ranges();      // of Punctuation and Bert
std::span<const CodePointRange> numeric_ranges();          // of Digits
std::span<const CodePointRange> word_ranges();             // \w of Whitespace and of single_word
std::span<const CodePointRange> combining_mark_ranges();   // what StripAccents removes
std::span<const CodePointRange> nonspacing_mark_ranges();  // what Bert's strip_accents removes
std::span<const CodePointRange> bert_removed_ranges();     // what Bert's clean_text removes

// What a normal form may change, or join to the character before it: NFC, and any of the four.
std::span<const CodePointRange> nfc_unsettled_ranges();
std::span<const CodePointRange> unsettled_ranges();

// From first to last, every stride-th character's lower case lies delta away.
struct LowerRun {
  char32_t first = 0;
  char32_t last = 0;
  std::int32_t stride = 1;
  std::int32_t delta = 0;
};
std::span<const LowerRun> lower_runs();

// Characters of one number have one script; those in no range go with any.
struct ScriptRange {
  char32_t first = 0;
  char32_t last = 0;
  std::int32_t script = 0;
};
std::span<const ScriptRange> script_ranges();

}  // namespace hangar
