#include "formats/hf/tokenizer_stages.h"

#include "formats/hf/base64.h"
#include "formats/hf/stage_fields.h"

namespace hangar::hf {
namespace {

using boost::json::value;

// Calls read_one for each stage of `stage`, a Sequence's in turn. The JSON's own bound on nesting
// bounds the recursion.
template <typename Spec, typename ReadOne>
// NOLINTNEXTLINE(misc-no-recursion)
Status read_sequence(const value& stage, const std::string& place, std::string_view list,
                     ReadOne read_one, std::vector<Spec>& out) {
  StageFields fields(stage, place);
  if (fields.type() != "Sequence") {
    Spec spec;
    HANGAR_CHECK_OK(read_one(fields, spec));
    out.push_back(std::move(spec));
    return {};
  }
  const boost::json::array& stages = fields.array(list);
  HANGAR_CHECK_OK(fields.done());
  for (std::size_t i = 0; i < stages.size(); ++i) {
    HANGAR_CHECK_OK(read_sequence(stages[i], element_place(place, list, i), list, read_one, out));
  }
  return {};
}

template <typename Spec, typename ReadOne>
Result<std::vector<Spec>> read_stages(const value& stage, const std::string& place,
                                      std::string_view list, ReadOne read_one) {
  std::vector<Spec> out;
  if (!stage.is_null()) HANGAR_CHECK_OK(read_sequence(stage, place, list, read_one, out));
  return out;
}

PrependScheme prepend_scheme(StageFields& fields) {
  const std::optional<bool> legacy = fields.optional_flag("add_prefix_space");
  const std::string name = fields.text("prepend_scheme", "always");
  PrependScheme scheme = PrependScheme::kAlways;
  if (name == "never") {
    scheme = PrependScheme::kNever;
  } else if (name == "first") {
    scheme = PrependScheme::kFirst;
  } else if (name != "always") {
    fields.fail(ErrorCode::kUnsupported, "prepend_scheme",
                fmt::format("\"{}\" is not known, only always, first, never", name));
  }
  // Files from before prepend_scheme have the flag alone.
  if (legacy == false && fields.value("prepend_scheme") == nullptr) return PrependScheme::kNever;
  if (legacy == false && scheme != PrependScheme::kNever) {
    fields.fail(ErrorCode::kCorrupt, "add_prefix_space",
                fmt::format("is false, but prepend_scheme is \"{}\"", name));
  }
  return scheme;
}

Status read_normalizer(StageFields& fields, NormalizerSpec& spec) {
  struct Plain {
    std::string_view type;
    NormalizerKind kind;
  };
  constexpr Plain kPlain[] = {
      {"NFC", NormalizerKind::kNfc},
      {"NFD", NormalizerKind::kNfd},
      {"NFKC", NormalizerKind::kNfkc},
      {"NFKD", NormalizerKind::kNfkd},
      {"Lowercase", NormalizerKind::kLowercase},
      {"StripAccents", NormalizerKind::kStripAccents},
      {"Nmt", NormalizerKind::kNmt},
      {"ByteLevel", NormalizerKind::kByteLevel},
  };
  for (const Plain& plain : kPlain) {
    if (plain.type != fields.type()) continue;
    spec.kind = plain.kind;
    return fields.done();
  }
  if (fields.type() == "Strip") {
    spec.kind = NormalizerKind::kStrip;
    spec.left = fields.flag("strip_left");
    spec.right = fields.flag("strip_right");
  } else if (fields.type() == "Replace") {
    spec.kind = NormalizerKind::kReplace;
    spec.pattern = fields.pattern();
    spec.content = fields.text("content");
  } else if (fields.type() == "Prepend") {
    spec.kind = NormalizerKind::kPrepend;
    spec.content = fields.text("prepend");
  } else if (fields.type() == "BertNormalizer") {
    spec.kind = NormalizerKind::kBert;
    spec.clean_text = fields.flag("clean_text");
    spec.chinese = fields.flag("handle_chinese_chars");
    spec.strip_accents = fields.optional_flag("strip_accents");
    spec.lowercase = fields.flag("lowercase");
  } else if (fields.type() == "Precompiled") {
    spec.kind = NormalizerKind::kPrecompiled;
    if (auto charsmap = decode_base64(fields.text("precompiled_charsmap"))) {
      spec.charsmap = *std::move(charsmap);
    } else {
      fields.fail(ErrorCode::kCorrupt, "precompiled_charsmap", "is not base64");
    }
  } else {
    return fields.unknown_type(
        "NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, Replace, Prepend, BertNormalizer, "
        "Precompiled, Nmt, ByteLevel, Sequence");
  }
  return fields.done();
}

void read_metaspace(StageFields& fields, std::string& replacement, PrependScheme& prepend,
                    bool& split) {
  replacement = fields.character("replacement");
  prepend = prepend_scheme(fields);
  split = fields.flag("split", true);
  fields.ignore("str_rep");  // the replacement once more, in old files
}

Status read_pre_tokenizer(StageFields& fields, PreTokenizerSpec& spec) {
  const std::string_view type = fields.type();
  if (type == "Split") {
    spec.kind = PreTokenizerKind::kSplit;
    spec.pattern = fields.pattern();
    spec.behavior = fields.behavior();
    spec.invert = fields.flag("invert");
  } else if (type == "ByteLevel") {
    spec.kind = PreTokenizerKind::kByteLevel;
    spec.add_prefix_space = fields.flag("add_prefix_space");
    spec.use_regex = fields.flag("use_regex", true);
    fields.ignore("trim_offsets");
  } else if (type == "Metaspace") {
    spec.kind = PreTokenizerKind::kMetaspace;
    read_metaspace(fields, spec.replacement, spec.prepend, spec.split);
  } else if (type == "Whitespace") {
    spec.kind = PreTokenizerKind::kWhitespace;
  } else if (type == "WhitespaceSplit") {
    spec.kind = PreTokenizerKind::kWhitespaceSplit;
  } else if (type == "BertPreTokenizer") {
    spec.kind = PreTokenizerKind::kBert;
  } else if (type == "Punctuation") {
    spec.kind = PreTokenizerKind::kPunctuation;
    spec.behavior = fields.behavior(SplitBehavior::kIsolated);
  } else if (type == "Digits") {
    spec.kind = PreTokenizerKind::kDigits;
    spec.individual = fields.flag("individual_digits");
  } else if (type == "CharDelimiterSplit") {
    spec.kind = PreTokenizerKind::kCharDelimiter;
    spec.pattern.text = fields.character("delimiter");
  } else if (type == "UnicodeScripts") {
    spec.kind = PreTokenizerKind::kUnicodeScripts;
  } else if (type == "FixedLength") {
    spec.kind = PreTokenizerKind::kFixedLength;
    spec.length = fields.count("length", 5);
    if (spec.length == 0) fields.fail(ErrorCode::kCorrupt, "length", "0 found, 1 or more expected");
  } else {
    return fields.unknown_type(
        "Split, ByteLevel, Metaspace, Whitespace, WhitespaceSplit, BertPreTokenizer, Punctuation, "
        "Digits, CharDelimiterSplit, UnicodeScripts, FixedLength, Sequence");
  }
  return fields.done();
}

Status read_decoder(StageFields& fields, DecoderSpec& spec) {
  const std::string_view type = fields.type();
  if (type == "ByteLevel") {
    spec.kind = DecoderKind::kByteLevel;
    fields.ignore("add_prefix_space");
    fields.ignore("trim_offsets");
    fields.ignore("use_regex");
  } else if (type == "Metaspace") {
    spec.kind = DecoderKind::kMetaspace;
    bool split = true;
    read_metaspace(fields, spec.replacement, spec.prepend, split);
  } else if (type == "WordPiece") {
    spec.kind = DecoderKind::kWordPiece;
    spec.content = fields.text("prefix");
    spec.cleanup = fields.flag("cleanup");
  } else if (type == "ByteFallback") {
    spec.kind = DecoderKind::kByteFallback;
  } else if (type == "Fuse") {
    spec.kind = DecoderKind::kFuse;
  } else if (type == "Strip") {
    spec.kind = DecoderKind::kStrip;
    spec.content = fields.character("content");
    spec.start = fields.count("start");
    spec.stop = fields.count("stop");
  } else if (type == "Replace") {
    spec.kind = DecoderKind::kReplace;
    spec.pattern = fields.pattern();
    spec.content = fields.text("content");
  } else if (type == "BPEDecoder") {
    spec.kind = DecoderKind::kBpe;
    spec.content = fields.text("suffix");
  } else {
    return fields.unknown_type(
        "ByteLevel, Metaspace, WordPiece, ByteFallback, Fuse, Strip, Replace, BPEDecoder, "
        "Sequence");
  }
  return fields.done();
}

}  // namespace

Result<std::vector<NormalizerSpec>> read_normalizers(const value& stage) {
  return read_stages<NormalizerSpec>(stage, "normalizer", "normalizers", read_normalizer);
}

Result<std::vector<PreTokenizerSpec>> read_pre_tokenizers(const value& stage) {
  return read_stages<PreTokenizerSpec>(stage, "pre_tokenizer", "pretokenizers", read_pre_tokenizer);
}

Result<std::vector<DecoderSpec>> read_decoders(const value& stage) {
  return read_stages<DecoderSpec>(stage, "decoder", "decoders", read_decoder);
}

}  // namespace hangar::hf
