#!/usr/bin/env python3
"""Writes tests/data/tokenizer/stages.json: each stage of Hugging Face's tokenizers on odd texts.

    python tools/make_tokenizer_stage_golden.py

Needs the package tokenizers. A stage is written as a list: its kind and its settings, which the
tests make a spec of (src/text/stage_test_data.h).
"""
import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers import processors

OUT = Path(__file__).resolve().parent.parent / "tests" / "data" / "tokenizer" / "stages.json"
BAR = "\u2581"

TEXTS = [
    "", " ", "   ", "\t\n", "a", "Hello, world!", "  two  spaces  ", "\u00a0nbsp\u3000wide\u2003em ",
    "don't SHOUT, it's 3 o'clock...", "snake_case-kebab.dot/slash", "x=1+2<3>4^5`6|7~8$9",
    "1 12 123 1234567 ½ ² ٣٤ Ⅷ 〇 ①", "a1b22c333", "ÀÉÎ õü ß ẞ İ ı Ǆ ǅ ΑΣ ὈΔΥΣΣΕΎΣ Ԁ Ა ꭰ 𐐀",
    "e\u0301 a\u0323\u0302 \u0301lead n\u0303\u0323", "\ufb01 ﬀ ｆｕｌｌ ①②½ ㍿ ㎏ Å \u212b \u1e9b\u0323 \ufdfa",
    "한국어 \u1112\u1161\u11ab 가각힣 \uac00\u11a8", "日本語テキスト、カタカナー。㐀𠀀豈", "中文English混合123数字",
    "שלום עולם \u05e9\u05c1", "مرحبا بِسْمِ ۱۲۳؟", "नमस्ते क्षत्रिय १२ \u0958", "ไทย ภาษา ๑๒ ລາວ",
    "😀👩🏽\u200d🚀 🏳\ufe0f\u200d🌈 🇫🇷 ❤\ufe0f", "\x00\x01\x08\x0b\x0c\x0e\x1f\x7f\x80\x8f\x9f\x85",
    "soft\u00adhyphen \u200bzw\u200cnj\u200dj\ufeffbom \u2028ls\u2029ps \ufffd \ue000 \u180e",
    "line\nline\r\n\n\ttab", BAR + "bar" + BAR + BAR + "bars" + BAR, "a" + BAR + " b", "##ing [CLS] [UNK]x",
    "ab ab  ab", "-abc-def--ghi-", "--", "-", "a-", "…—«quotes»“x”¿¡", "\u0345\u0334x\u0334\u0345 \u0c3c\u0301",
    "Съешь ЁЖ", "ᏣᎳᎩ ꮳ Ω \u2126 K \u212a", "a\u0300\u0301\u0302\u0316\u0317b", "\U0001d49c \U000e0041 \U0010fffd \u0378",
]


def stage(kind, **settings):
    return [kind, settings]


N, P, D = normalizers, pre_tokenizers, decoders
NORMALIZERS = [
    ([stage("nfc")], N.NFC()), ([stage("nfd")], N.NFD()), ([stage("nfkc")], N.NFKC()), ([stage("nfkd")], N.NFKD()),
    ([stage("lowercase")], N.Lowercase()),
    ([stage("strip")], N.Strip()), ([stage("strip", right=False)], N.Strip(left=True, right=False)),
    ([stage("strip", left=False)], N.Strip(left=False, right=True)),
    ([stage("strip_accents")], N.StripAccents()), ([stage("nfd"), stage("strip_accents")], N.Sequence([N.NFD(), N.StripAccents()])),
    ([stage("replace", pattern=" ", content=BAR)], N.Replace(" ", BAR)),
    ([stage("replace", pattern="ab", content="")], N.Replace("ab", "")),
    ([stage("replace", regex=r"\s+", content=" ")], N.Replace(Regex(r"\s+"), " ")),
    ([stage("replace", regex=r"^|$", content="*")], N.Replace(Regex(r"^|$"), "*")),
    ([stage("replace", regex=r"\w", content="w")], N.Replace(Regex(r"\w"), "w")),
    ([stage("replace", regex=r"\b", content="|")], N.Replace(Regex(r"\b"), "|")),
    ([stage("replace", regex=r"[\p{L}&&[^a-z]]+|\h{2}", content="#")], N.Replace(Regex(r"[\p{L}&&[^a-z]]+|\h{2}"), "#")),
    ([stage("replace", regex=r"[^\S\n]{1,2}+|\p{^P}{3}", content="_")], N.Replace(Regex(r"[^\S\n]{1,2}+|\p{^P}{3}"), "_")),
    ([stage("prepend", content=BAR)], N.Prepend(BAR)),
    ([stage("prepend", content=BAR), stage("replace", pattern=" ", content=BAR)], N.Sequence([N.Prepend(BAR), N.Replace(" ", BAR)])),
    ([stage("nmt")], N.Nmt()), ([stage("byte_level")], N.ByteLevel()),
    ([stage("bert", clean_text=True, chinese=True, lowercase=True)], N.BertNormalizer()),
    ([stage("bert", clean_text=True, chinese=True, lowercase=False)], N.BertNormalizer(lowercase=False)),
    ([stage("bert", clean_text=False, chinese=False, lowercase=True, strip_accents=False)],
     N.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=True)),
    ([stage("bert", clean_text=False, chinese=True, lowercase=False, strip_accents=True)],
     N.BertNormalizer(clean_text=False, handle_chinese_chars=True, strip_accents=True, lowercase=False)),
]
BEHAVIORS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
PRE_TOKENIZERS = (
    [([stage("split", pattern="-", behavior=b, invert=i)], P.Split("-", b, invert=i)) for b in BEHAVIORS for i in (False, True)]
    + [([stage("split", regex=r"\d|\s", behavior=b, invert=i)], P.Split(Regex(r"\d|\s"), b, invert=i)) for b in BEHAVIORS for i in (False, True)]
    + [([stage("split", regex=r"(?=[a-c])|\s*", behavior=b)], P.Split(Regex(r"(?=[a-c])|\s*"), b)) for b in BEHAVIORS]
    + [([stage("byte_level", add_prefix_space=a, use_regex=r)], P.ByteLevel(add_prefix_space=a, use_regex=r)) for a in (False, True) for r in (False, True)]
    + [([stage("metaspace", prepend=s, split=c)], P.Metaspace(BAR, s, c)) for s in ("always", "first", "never") for c in (False, True)]
    + [([stage("whitespace")], P.Whitespace()), ([stage("whitespace_split")], P.WhitespaceSplit()), ([stage("bert")], P.BertPreTokenizer())]
    + [([stage("punctuation", behavior=b)], P.Punctuation(b)) for b in BEHAVIORS]
    + [([stage("digits", individual=i)], P.Digits(i)) for i in (False, True)]
    + [([stage("char_delimiter", pattern="b")], P.CharDelimiterSplit("b")), ([stage("unicode_scripts")], P.UnicodeScripts())]
    + [([stage("fixed_length", length=n)], P.FixedLength(n)) for n in (1, 3)]
    + [([stage("digits", individual=True), stage("byte_level", add_prefix_space=False, use_regex=True)],
        P.Sequence([P.Digits(True), P.ByteLevel(add_prefix_space=False)])),
       ([stage("punctuation", behavior="contiguous"), stage("byte_level", add_prefix_space=False, use_regex=True), stage("digits", individual=False)],
        P.Sequence([P.Punctuation("contiguous"), P.ByteLevel(add_prefix_space=False), P.Digits(False)])),
       ([stage("whitespace_split"), stage("metaspace", prepend="always", split=True)],
        P.Sequence([P.WhitespaceSplit(), P.Metaspace(BAR, "always", True)])),
       ([stage("split", pattern="-", behavior="isolated"), stage("metaspace", prepend="first", split=True)],
        P.Sequence([P.Split("-", "isolated"), P.Metaspace(BAR, "first", True)]))]
)
TOKEN_LISTS = [
    [], ["a"], [BAR + "Hello", BAR + "world", "!"], ["a", BAR, "b" + BAR + "c"], [BAR + BAR + "x", BAR],
    ["<0xE4>", "<0xBD>", "<0xA0>", "x", "<0xFF>", "<0x41>", "<0x4g>", "<0xE4>"], ["Ġthe", "ĠÃ©", "Ċ", "t"],
    ["un", "##aff", "##able", ".", "do", "not", "n", "##'t", "'", "s", "[SEP]", "?", "don", "'m"],
    ["hel", "lo</w>", "wor", "ld</w>"], ["中", " é", "Ġ中", "a b"], ["  a ", "  ", "   "], ["do not", " 's", " n't  ,"],
    ["[CLS]", "##x", "##", "#"],
]
SENTENCE_PIECE = [D.Replace(BAR, " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)]
DECODERS = [
    ([], None), ([stage("byte_level")], D.ByteLevel()), ([stage("metaspace", prepend="always")], D.Metaspace(BAR, "always")),
    ([stage("metaspace", prepend="never")], D.Metaspace(BAR, "never")), ([stage("metaspace", prepend="first")], D.Metaspace(BAR, "first")),
    ([stage("word_piece", content="##", cleanup=True)], D.WordPiece("##", True)),
    ([stage("word_piece", content="##", cleanup=False)], D.WordPiece("##", False)),
    ([stage("byte_fallback")], D.ByteFallback()), ([stage("fuse")], D.Fuse()), ([stage("strip", content=" ", start=1, stop=1)], D.Strip(" ", 1, 1)),
    ([stage("replace", regex="[a-c]+", content="<>")], D.Replace(Regex("[a-c]+"), "<>")), ([stage("bpe", content="</w>")], D.BPEDecoder("</w>")),
    ([stage("replace", pattern=BAR, content=" "), stage("byte_fallback"), stage("fuse"), stage("strip", content=" ", start=1, stop=0)],
     D.Sequence(SENTENCE_PIECE)),
]

ADDED = [
    ("<s>", dict(special=True)), ("<mask>", dict(special=True, lstrip=True)), ("<r>", dict(rstrip=True)),
    ("<both>", dict(lstrip=True, rstrip=True)), ("word", dict(single_word=True)), ("Caf\u00e9", dict(normalized=True)),
    ("NORM", dict(normalized=True, single_word=True)), ("<s>x", dict()), ("\u4e2d\u6587", dict(normalized=True, lstrip=True)),
    ("sp ace", dict(normalized=True)), ("ab", dict(special=True, normalized=True)),
]
ADDED_TEXTS = [
    "", "<s>", "a<s>b", "<s>x<s>", "x <mask> y", "  <mask>  <mask> ", "<r>   z", "a  <r> <mask>b", "\u3000<both>\u00a0\n<both> <both>",
    "word", "a word.", "awords word_ \u00e9word word\u00e9 \u200cword word", "Caf\u00e9 CAFE\u0301 caf\u00e9", "NORM norm xnorm norm1 Norm!",
    "\u4e2d\u6587  \u4e2d\u6587", "sp ace SP ACE sp  ace", "ab cAb AB <s>ab", "<S> <s", "word<s>word <r>word", " lead word ",
]
# (normalizers, pre-tokenizers, their objects): whole tokenizers over single characters.
PIPELINES = [
    ([], [], None, None),
    ([stage("lowercase")], [stage("byte_level", add_prefix_space=False, use_regex=True)], N.Lowercase(), P.ByteLevel(add_prefix_space=False)),
    ([stage("nfc"), stage("lowercase")], [stage("byte_level", add_prefix_space=True, use_regex=True)],
     N.Sequence([N.NFC(), N.Lowercase()]), P.ByteLevel(add_prefix_space=True)),
    ([stage("prepend", content=BAR), stage("replace", pattern=" ", content=BAR)], [],
     N.Sequence([N.Prepend(BAR), N.Replace(" ", BAR)]), None),
    ([], [stage("metaspace", prepend="first", split=True)], None, P.Metaspace(BAR, "first", True)),
    ([stage("strip"), stage("strip_accents")], [stage("metaspace", prepend="first", split=True)],
     N.Sequence([N.Strip(), N.StripAccents()]), P.Metaspace(BAR, "first", True)),
    ([stage("bert", clean_text=True, chinese=True, lowercase=True)], [stage("bert")], N.BertNormalizer(), P.BertPreTokenizer()),
]


def normalized():
    return [{"stages": s, "out": [n.normalize_str(t) for t in TEXTS]} for s, n in NORMALIZERS]


def cut():
    return [{"stages": s, "out": [[p for p, _ in pt.pre_tokenize_str(t)] for t in TEXTS]} for s, pt in PRE_TOKENIZERS]


def decoded():
    # Without a decoder only a whole tokenizer knows what to do: tokens with a space between.
    out = []
    for stages, decoder in DECODERS:
        results = [" ".join(t) if decoder is None else decoder.decode(list(t)) if t else "" for t in TOKEN_LISTS]
        out.append({"stages": stages, "out": results})
    return out


def characters():
    seen = set(BAR)
    for text in TEXTS + ADDED_TEXTS + [c for c, _ in ADDED]:
        seen |= set(text) | set(text.lower()) | set(N.NFC().normalize_str(text)) | set(N.NFD().normalize_str(text.lower()))
    return sorted(seen | set(P.ByteLevel.alphabet()))


def pipelines(vocabulary):
    out = []
    for norm_stages, pre_stages, normalizer, pre_tokenizer in PIPELINES:
        tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(vocabulary)}, merges=[("a", "b")]))
        if normalizer:
            tokenizer.normalizer = normalizer
        if pre_tokenizer:
            tokenizer.pre_tokenizer = pre_tokenizer
        for content, flags in ADDED:
            flags = {"normalized": False, **flags}
            token = AddedToken(content, **flags)
            (tokenizer.add_special_tokens if flags.get("special") else tokenizer.add_tokens)([token])
        first = tokenizer.token_to_id(ADDED[0][0])
        row = {"normalizers": norm_stages, "pre_tokenizers": pre_stages,
               "added": [[tokenizer.token_to_id(c), c, f] for c, f in ADDED]}
        tokenizer.encode_special_tokens = False
        row["special"] = [tokenizer.encode(t, add_special_tokens=False).ids for t in ADDED_TEXTS]
        tokenizer.encode_special_tokens = True
        row["plain"] = [tokenizer.encode(t, add_special_tokens=False).ids for t in ADDED_TEXTS]
        tokenizer.encode_special_tokens = False
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A:2", pair="<s>:1 $B:1 <s> $A:0 <s>:5", special_tokens=[("<s>", first)])
        single = tokenizer.encode("a b")
        pair = tokenizer.encode("a b", "c")
        bare = tokenizer.encode("a b", "c", add_special_tokens=False)
        row["template"] = [[e.ids, e.type_ids] for e in (single, pair, bare)]
        out.append(row)
    return out


def main():
    vocabulary = characters()
    vocabulary += ["ab"]
    sections = {"texts": TEXTS, "token_lists": TOKEN_LISTS, "added_texts": ADDED_TEXTS, "vocabulary": vocabulary,
                "normalizers": normalized(), "pre_tokenizers": cut(), "decoders": decoded(), "pipelines": pipelines(vocabulary)}

    def flat(x):
        return json.dumps(x, ensure_ascii=False, separators=(",", ":"))
    lines = []
    for name, rows in sections.items():
        lines.append(f"{flat(name)}:[\n" + ",\n".join(flat(r) for r in rows) + "\n]")
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    OUT.write_text(text, encoding="utf-8")
    print(f"{OUT.name}: {len(text.encode())} bytes")


if __name__ == "__main__":
    main()
