#!/usr/bin/env python3
"""Writes tests/data/tokenizer/: what Hugging Face's tokenizers says of a corpus, for our tests.

    python tools/make_tokenizer_corpus.py SmolLM2-135M-Instruct.Q4_1.gguf

Needs the packages tokenizers and gguf. The texts are written here and by a seeded generator, so that
a second run gives the same files:
  texts.json       the texts
  smollm_ids.json  their ids with the GGUF's vocabulary and merges
  pieces.json      the lengths in bytes of their pre-tokens, for each pre-tokenizer
  tiny_bpe.json    a small vocabulary trained on them, and their ids with it
  tiny_bpe_more.json  the ids of some of them with it, for pre-tokenizers of several stages
  lossy_utf8.json  broken UTF-8 (hex) and its decoding with U+FFFD, by Python's own decoder
"""
import json
import random
import sys
from pathlib import Path

from gguf import GGUFReader
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

OUT = Path(__file__).resolve().parent.parent / "tests" / "data" / "tokenizer"
RANDOM_TEXTS = 2000
PIECES_RANDOM_TEXTS = 900
MORE_RANDOM_TEXTS = 60

CORPUS = [
    "",
    " ",
    "Hello, world! It's 3 o'clock; they'll say we've won, I'd bet. You're right, I'm late, 'tis so.",
    "DON'T SHOUT! IT'S WE'RE THEY'LL I'D; 'S 'T 'RE 'VE 'M 'LL 'D 'ſ 'ſt",
    "Der Fluß fließt über die Brücke, und die Mädchen hören süße Töne. Öl, Ärger, Übermut.",
    "Le cœur a ses raisons que la raison ne connaît point. L'été dernier, à Nîmes, ça allait.",
    "El pingüino comió ñoquis en la montaña. ¿Qué pasó? ¡Nada! Él y tú también.",
    "Zażółć gęślą jaźń. Příliš žluťoučký kůň úpěl ďábelské ódy. Árvíztűrő tükörfúrógép.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. Объём — 42 м².",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. Ὦ ἄνδρες Ἀθηναῖοι, ᾿Εν ἀρχῇ ἦν ὁ λόγος.",
    "דג סקרן שט לו בים זך אך לפתע פגש חבורה נחמדה. בְּרֵאשִׁית בָּרָא אֱלֹהִים",
    "نص حكيم له سر قاطع وذو شأن عظيم. بِسْمِ ٱللَّهِ ٱلرَّحْمَٰنِ. ۱۲۳ ٤٥٦ می‌خواهم",
    "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश। क्षत्रिय १२३४५",
    "আমি বাংলায় গান গাই। ১২৩ தமிழ் மொழி அழகானது ௧௨௩ తెలుగు భాష ಕನ್ನಡ മലയാളം സംസാരം",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน ๑๒๓ ພາສາລາວ ខ្មែរ မြန်မာ",
    "我能吞下玻璃而不伤身体。今天天气很好,我们去公园吧!一二三,2026年11月28日。",
    "我能吞下玻璃而不傷身體。㐀㐁𠀀𠀁𪜀🈚️ 「引用」——〈書名〉……",
    "いろはにほへと ちりぬるを。カタカナとひらがなと漢字、ｶﾞｷﾞｸﾞ、ｆｕｌｌｗｉｄｔｈ １２３。",
    "다람쥐 헌 쳇바퀴에 타고파. 안녕하세요, 반갑습니다! 한국어 ᄒ\u1161\u11ab글",
    "Tiếng Việt có sáu thanh: ngang, huyền, sắc, hỏi, ngã, nặng. Trường đại học",
    "İstanbul'da ığdır şehri, çağrı ve güneş. Şu köyde yağmur'un sesi.",
    "საქართველო ლამაზი ქვეყანაა. Ողջույն աշխարհ։ ሰላም ለዓለም ᐊᓂᔑᓈᐯᒧᐎᓐ ᏣᎳᎩ ᠮᠣᠩᠭᠣᠯ\u180e",
    "emoji: 😀😃 👨‍👩‍👧‍👦 👩🏽‍🚀 🏳️‍🌈 🇫🇷🇯🇵 ❤️‍🔥 1️⃣2️⃣ ☕︎ ✌🏿 🫠🫨 👍👍👍!!",
    "e\u0301 vs é, n\u0303 vs ñ, a\u0323\u0302 vs ậ, \u0344 \u0f73\u0f71 Å vs Å vs A\u030a, \ufb01 ﬀ Ǆ ǅ ǆ",
    "zalgo: h\u0335\u0321\u0310e\u0334\u0322\u0313l\u0336\u0323\u0301l\u0337\u0324\u0302o\u0338\u0325\u0303!",
    "def f(x: int) -> int:\n    if x <= 1:\n        return 1\n\treturn x * f(x-1)  # 5! = 120\n\n\n",
    "#include <vector>\nint main() {\r\n  std::vector<int> v{1,2,3};\r\n  for (auto& e : v) e += 0x1F;\r\n}\r\n",
    '{"a": [1, 2.5e-10, null, true], "b\\n": "\\u00e9", "nested": {"k": {}}}  // json',
    "SELECT * FROM t WHERE a >= 10 AND b != 'it''s' ORDER BY c DESC LIMIT 1000000;",
    "<div class=\"x\">&nbsp;<a href='https://example.org/?q=1&r=2#frag'>link</a></div><!-- c -->",
    "fn main() { let s: &'static str = r#\"raw\"#; println!(\"{:?}\", s); } // 'a 'b 'static",
    "$ ls -la /usr/lib | grep -E '^d.*\\.so$' && echo \"done\" >> ~/log.txt 2>&1",
    "\\begin{equation} E = mc^2, \\quad \\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2} \\end{equation}",
    "   leading", "trailing   ", "a  b   c    d     e", "\t\ttabs\tand  spaces \t mixed \t",
    "line\nline\n\nline\n\n\nline\r\nline\r\rline \n line\n  \n   \n", "\n", "\r\n", " \n ", "\n\n  x",
    "nbsp\u00a0\u00a0thin\u2009ideographic\u3000\u3000zwsp\u200bnel\u0085ls\u2028ps\u2029ogham\u1680mvs\u180ebom\ufeff end",
    "1 12 123 1234 12345 123456 1234567 3.14159 1,000,000 0xDEADBEEF 1e10 ½ ¾ ² ³ Ⅷ ⅷ ① ㊿ 〇 ٣",
    "a1b2c3 4d5e6f 7 8  9   10    11\n12\n\n13 '1's '2't",
    "control:\x00\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x13\x14\x16\x1b[31mred\x1b[0m\x1d\x7f\x80\x9f end",
    "a\x04b \x04 th\x04e \U00040000\U000c0000 missing bytes",
    "<|im_start|>system\nYou are helpful.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start|><|im_end|><|im_end|>x<|endoftext|> <|im_end <|im_end| <|<|im_start|>|> <|IM_END|>",
    "<file_sep><filename>a.py<gh_stars>10-100\n<issue_start> <empty_output>",
    "<|stop|><|stop|>now<|stop|>no <|st<|stop|>no @@mark@@ @@@mark@ @@mad",
    "supercalifragilisticexpialidocious " * 3 + "pneumonoultramicroscopicsilicovolcanoconiosis",
    "a" * 300, "ab" * 200, " " * 130 + "x", "\n" * 70, "=" * 100 + "-" * 77, "ha" * 33 + "!" * 40,
    "1234567890" * 12, "é" * 90, "日本" * 60, "x" * 64, "x" * 65, "the" * 43,
    "Mixed英文and中文withoutспособspaces日本語テキストκαι한국어🙂done",
    "CamelCaseIdentifier snake_case_identifier kebab-case SCREAMING_SNAKE mixedUPPERlower XMLHttpRequest",
    "“quotes” ‘single’ «guillemets» „low“ – en — em … ellipsis • bullet § ¶ † ‡ © ® ™ € £ ¥ ₿ ∀∃∈∑∞≠≤",
    "new in Unicode 15 and 16: \U00011f04\U00011f12 \U0001e4d0\U0001e4f1 \U00031350\U0002ebf0 \U000105c0 \u1c89\u1c8a \U00011bf0",
]

INTERESTING = (
    list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    + list("'\"`.,;:!?-_/\\|()[]{}<>@#$%^&*+=~ \t\n\r\x0b\x0c\x00\x04\x7f")
    + list("\u0085\u00a0\u1680\u180e\u2003\u2028\u202f\u205f\u3000\u200b\u200d\ufeff\ufe0f")
    + list("àéîõüßøåÆœłžŠİıſĸǅʰªº²½①ⅣµΩ№℮") + list("абвЁжщъэюЯіґ") + list("αβγΔΩώἀᾳ")
    + list("אבגשׁ") + list("ابتثجحٱىي٠١٢ًُّ") + list("कखगघािी्१२") + list("กขคงไเ็่๑๒")
    + list("中文字漢語𠀀㐀々〇") + list("あいうアイウｱﾞー") + list("가각힣각") + list("ạậếữ\u0301\u0300\u0323\u0302\u0344\u0f73")
    + list("😀👨🏽❤✌🇩🇪☃𝒜𝟘𐍈") + ["\U00011f04", "\U0001e4f1", "\U00031350", "\U00011de3", "\U00016ff5"]
)
CHUNKS = (
    "'s 't 're 've 'm 'll 'd 'S 'T 'RE 'LL n't  the  of  and  in  hello  world  ing  tion  123  2026 \n\n"
    " \r\n     \t\t  == ->  !=  // /* */ {{ }} <|im_start|> <|im_end|> <|endoftext|> <|stop|> <|stop|>no @@mark@@ @@ <| |>"
).split(" ") + [" ", "  ", "   ", "\n", " \n", "\r\n", "é", "e\u0301", "👩‍🚀", "日本", "한국"]


def random_text(rng):
    kind = rng.randrange(5)
    n = rng.randrange(1, 24)
    if kind == 0:
        return "".join(rng.choice(INTERESTING) for _ in range(n))
    if kind == 1:
        return "".join(rng.choice(CHUNKS) for _ in range(n))
    if kind == 2:
        return "".join(rng.choice(rng.choice((INTERESTING, CHUNKS, [" "]))) for _ in range(n))
    if kind == 3:
        return "".join(rng.choice("aAbB12 \n'.\u00a0é中ſ") for _ in range(n))
    points = []
    while len(points) < n // 2 + 1:
        point = rng.randrange(0x110000) if rng.random() < 0.3 else rng.randrange(0x3000)
        if not 0xD800 <= point < 0xE000:
            points.append(chr(point))
    return "".join(points)


def split(expression):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(expression), "isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
CASED = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+%s|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*%s|")
# As in the tokenizer.json of a model of each kind: (normalizer, pre-tokenizer, ignore_merges).
KINDS = {
    "gpt-2": (None, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True), False),
    "smollm": (None, pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]), False),
    "llama-bpe": (None, split(
        CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"),
        True),
    "qwen2": (normalizers.NFC(), split(
        CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"),
        False),
    "qwen35": (normalizers.NFC(), split(
        CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"),
        False),
    "gpt-4o": (None, split(
        CASED % (CONTRACTIONS + "?", CONTRACTIONS + "?")
        + r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"), False),
    "tekken": (None, split(
        CASED % ("", "") + r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"), True),
}


def isolated(*expressions):
    return [pre_tokenizers.Split(Regex(e), "isolated", invert=False) for e in expressions]


def bytes_last(*stages):
    return pre_tokenizers.Sequence([
        *stages, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


# Cased letters, as ranges.
DEEPSEEK_LETTERS = (
    r"\s?[A-Za-z\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293}"
    r"\x{295}-\x{2af}\x{370}-\x{373}\x{376}\x{377}\x{37b}-\x{37d}\x{37f}\x{386}\x{388}-\x{38a}"
    r"\x{38c}\x{38e}-\x{3a1}\x{3a3}-\x{3f5}\x{3f7}-\x{481}\x{48a}-\x{52f}\x{531}-\x{556}"
    r"\x{10a0}-\x{10c5}\x{13a0}-\x{13f5}\x{13f8}-\x{13fd}\x{1c90}-\x{1cba}\x{1cbd}-\x{1cbf}"
    r"\x{1d00}-\x{1d2b}\x{1d6b}-\x{1d77}\x{1d79}-\x{1d9a}\x{1e00}-\x{1f15}\x{1f18}-\x{1f1d}"
    r"\x{1f20}-\x{1f45}\x{1f48}-\x{1f4d}\x{1f50}-\x{1f57}\x{1f59}\x{1f5b}\x{1f5d}\x{1f5f}-\x{1f7d}"
    r"\x{1f80}-\x{1fb4}\x{1fb6}-\x{1fbc}\x{1fbe}\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc}\x{1fd0}-\x{1fd3}"
    r"\x{1fd6}-\x{1fdb}\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4}\x{1ff6}-\x{1ffc}\x{2102}\x{2107}"
    r"\x{210a}-\x{2113}\x{2115}\x{2119}-\x{211d}\x{2124}\x{2126}\x{2128}\x{212a}-\x{212d}"
    r"\x{212f}-\x{2134}\x{2139}\x{213c}-\x{213f}\x{2145}-\x{2149}\x{214e}\x{2183}\x{2184}"
    r"\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4}\x{2ceb}-\x{2cee}\x{2cf2}\x{2cf3}\x{a640}-\x{a66d}"
    r"\x{a680}-\x{a69b}\x{a722}-\x{a76f}\x{a771}-\x{a787}\x{a78b}-\x{a78e}\x{ab70}-\x{abbf}"
    r"\x{fb00}-\x{fb06}\x{fb13}-\x{fb17}\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a}\x{10400}-\x{1044f}"
    r"\x{104b0}-\x{104d3}\x{104d8}-\x{104fb}\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}"
    r"\x{118a0}-\x{118df}\x{1e900}-\x{1e943}]+")
ASIAN = r"[\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+"
MORE_KINDS = {
    "mpt": (normalizers.NFC(), KINDS["gpt-2"][1], False),
    "command-r": (normalizers.NFC(), KINDS["smollm"][1], False),
    "falcon": (None, pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        pre_tokenizers.Digits(individual_digits=False), *isolated("[0-9][0-9][0-9]")]), False),
    "deepseek-llm": (None, bytes_last(
        *isolated("[\r\n]", DEEPSEEK_LETTERS,
                  r"\s?[!-/:-~\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff5e}\x{2018}-\x{201f}\x{3000}-\x{3002}]+", r"\s+$", ASIAN),
        pre_tokenizers.Digits(individual_digits=True)), False),
    "deepseek-coder": (None, bytes_last(
        *isolated("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", ASIAN),
        pre_tokenizers.Digits(individual_digits=True)), False),
    "deepseek-v3": (None, bytes_last(*isolated(
        r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
        r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
        r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")), False),
}


def build(kind, vocab, merges, control, user_defined):
    normalizer, pre_tokenizer, ignore_merges = {**KINDS, **MORE_KINDS}[kind]
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=ignore_merges))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.add_tokens([AddedToken(t, normalized=False, special=False) for t in user_defined])
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in control])
    return tokenizer


def ids_of(tokenizer, texts):
    return [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]


def write(name, value, per_line=True):
    """One list element or object entry a line, so that a diff shows what changed."""
    def flat(x):
        return json.dumps(x, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, list):
        text = "[\n" + ",\n".join(flat(x) for x in value) + "\n]\n"
    else:
        text = "{\n" + ",\n".join(f"{flat(k)}:{flat(v)}" for k, v in value.items()) + "\n}\n"
    (OUT / name).write_text(text, encoding="utf-8")
    print(f"{name}: {len(text.encode())} bytes")


def gguf_strings(reader, field):
    return [bytes(reader.fields[field].parts[i]).decode() for i in reader.fields[field].data]


def load_gguf(path):
    reader = GGUFReader(path)
    kinds = reader.fields["tokenizer.ggml.token_type"]
    kinds = [int(kinds.parts[i][0]) for i in kinds.data]
    tokens = gguf_strings(reader, "tokenizer.ggml.tokens")
    merges = [tuple(m.split(" ")) for m in gguf_strings(reader, "tokenizer.ggml.merges")]
    return tokens, kinds, merges


def smollm(path, texts):
    tokens, kinds, merges = load_gguf(path)
    control = [t for t, k in zip(tokens, kinds) if k == 3]
    tokenizer = build("smollm", {t: i for i, t in enumerate(tokens)}, merges, control, [])
    write("smollm_ids.json", ids_of(tokenizer, texts))


def pieces(texts):
    table = {}
    for kind, (_, pre_tokenizer, _) in KINDS.items():
        # A byte-level piece has one character a byte.
        table[kind] = [[len(p) for p, _ in pre_tokenizer.pre_tokenize_str(t)] for t in texts]
    write("pieces.json", table)


def tiny(texts):
    trainer = trainers.BpeTrainer(vocab_size=700, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = KINDS["gpt-2"][1]
    trained.train_from_iterator(CORPUS * 3, trainer)
    model = json.loads(trained.to_str())["model"]
    tokens = [t for t, _ in sorted(model["vocab"].items(), key=lambda item: item[1])]
    merges = [tuple(m) for m in model["merges"]]
    # In the vocabulary, but no merge leads there: found only where merges are ignored.
    extra = ["Ġhello", "Ġtokenizer", "123", "Ġvs", "ĠCamelCase", "They", "ĠFROM", "Ġworld"]
    tokens += [t for t in extra if t not in model["vocab"]]
    control = ["<|begin|>", "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|stop|>", "<|stop|>now"]
    user_defined = ["@@mark@@", "@@m", "<|stop|>no"]
    kinds = ["normal"] * len(tokens) + ["control"] * len(control) + ["user-defined"] * len(user_defined)
    # Hugging Face numbers added tokens as they come; the order below gives them our ids.
    everything = tokens + control + user_defined
    full_vocab = {t: i for i, t in enumerate(everything)}
    assert len(full_vocab) == len(everything), [t for t in everything if everything.count(t) > 1]
    table = {"tokens": everything, "kinds": kinds, "merges": [" ".join(m) for m in merges]}
    for kind in KINDS:
        table[kind] = ids_of(build(kind, full_vocab, merges, control, user_defined), texts)
    plain = build("gpt-2", full_vocab, merges, control, user_defined)
    plain.encode_special_tokens = True
    table["gpt-2 without control tokens"] = ids_of(plain, texts)
    write("tiny_bpe.json", table)
    write("tiny_bpe_more.json", {
        kind: ids_of(build(kind, full_vocab, merges, control, user_defined),
                     texts[:len(CORPUS) + MORE_RANDOM_TEXTS]) for kind in MORE_KINDS})


def lossy():
    rng = random.Random(3)
    cases = [b"", b"\xff", b"\xe2\x82", b"\xf0\x9f\x98", b"\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41",
             b"\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", b"\xf4\x91\x92\x93\xff\x41\x80\xbf\x42",
             b"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", "é中😀".encode()]
    pool = [b"a", b"\x80", b"\xbf", b"\xc2", b"\xc0", b"\xe0", b"\xa0", b"\x9f", b"\xed", b"\xef", b"\xf0",
            b"\x90", b"\x8f", b"\xf4", b"\xf5", b"\xff", "é".encode(), "中".encode(), "😀".encode()]
    for _ in range(300):
        cases.append(b"".join(rng.choice(pool) for _ in range(rng.randrange(1, 9))))
    write("lossy_utf8.json", [[c.hex(), c.decode("utf-8", "replace").encode().hex()] for c in cases])


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    rng = random.Random(20261128)
    texts = CORPUS + [random_text(rng) for _ in range(RANDOM_TEXTS)]
    write("texts.json", texts)
    smollm(sys.argv[1], texts)
    pieces(texts[:len(CORPUS) + PIECES_RANDOM_TEXTS])
    tiny(texts[:len(CORPUS) + 250])
    lossy()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
