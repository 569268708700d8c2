#!/usr/bin/env python3
"""Writes tests/data/tokenizer/token_models.json and charsmap.json: golden values for src/text's
token models (BPE, Unigram, WordPiece) and for SentencePiece's compiled normalization rules.

    python tools/make_token_model_golden.py

Needs the packages tokenizers, transformers, sentencepiece and protobuf. Makes tiny models of the
texts of tests/data/tokenizer/texts.json with fixed settings; a second run gives the same files.

  token_models.json  pieces: texts; models: each one's vocabulary and merges (as an index into
                     lists), options and the ids of all pieces
  charsmap.json      a charsmap and clusters_charsmap (hex), each with [text, normalized]; the
                     second replaces every cluster that is short enough, so that it shows clusters
"""
import json
import math
import random
import struct
import tempfile
import unicodedata
from collections import Counter
from pathlib import Path

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import models, normalizers
from transformers.tokenization_utils_base import generate_merges

OUT = Path(__file__).resolve().parent.parent / "tests" / "data" / "tokenizer"
MARK = "\u2581"
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def make_pieces(texts, rng):
    pieces = {"", MARK, MARK * 40, "a", "<unk>", "x<unk>y", "</s>", "<0x41>", "##a", "a</w>", "the" * 60,
              "ab" * 40, "\u4e2d\u6587" * 20, "\U0001F600" * 12, "q\u0301" * 20}
    words = sorted({word for text in texts for word in text.split() if len(word) < 30})
    pieces.update(rng.sample(words, 40))
    lines = [text for text in texts if 20 < len(text) < 90 and "\n" not in text]
    pieces.update(MARK + text.replace(" ", MARK) for text in rng.sample(lines, 12))
    alphabet = "etaoin  \u2581\u2581xqz\u00e9\u00df\u0436\u4e2d\U0001F600\u0301\n.##<>/w"
    for _ in range(25):
        pieces.add("".join(rng.choice(alphabet) for _ in range(rng.randrange(1, 50))))
    return sorted(pieces)


def train_bpe(words, alphabet_size, merge_count, prefix="", suffix=""):
    """(tokens, merges) of Counter `words`; ties go to the pair that sorts first."""
    letters = Counter()
    for word, count in words.items():
        for letter in word:
            letters[letter] += count
    alphabet = {letter for letter, _ in
                sorted(letters.items(), key=lambda item: (-item[1], item[0]))[:alphabet_size]}
    rows = {}
    for word, count in words.items():
        if set(word) <= alphabet:
            row = [("" if i == 0 else prefix) + letter + ("" if i + 1 < len(word) else suffix)
                   for i, letter in enumerate(word)]
            rows[tuple(row)] = count
    tokens = sorted(alphabet | {symbol for row in rows for symbol in row})
    merges = []
    while len(merges) < merge_count:
        pairs = Counter()
        for row, count in rows.items():
            for pair in zip(row, row[1:]):
                pairs[pair] += count
        if not pairs:
            break
        left, right = min(pairs, key=lambda pair: (-pairs[pair], pair))
        joined = left + right[len(prefix):]
        merges.append((left, right))
        if joined not in tokens:
            tokens.append(joined)
        merged = Counter()
        for row, count in rows.items():
            out = []
            for symbol in row:
                if out and out[-1] == left and symbol == right:
                    out[-1] = joined
                else:
                    out.append(symbol)
            merged[tuple(out)] += count
        rows = merged
    return tokens, merges


def words_of(texts):
    return Counter(word for text in texts for word in text.split() if len(word) < 20)


def marked_words_of(texts):
    return Counter({MARK + word: count for word, count in words_of(texts).items()})


def entry(name, kind, model, pieces, tokens, **options):
    ids = [[token.id for token in model.tokenize(piece)] for piece in pieces]
    return {"name": name, "model": kind, "tokens": tokens, **options, "ids": ids}


def bpe(name, pieces, tokens, merges, unknown="<unk>", as_scores=None, **options):
    """options by tokenizers' names."""
    vocab = {token: index for index, token in enumerate(tokens)}
    model = models.BPE(vocab=vocab, merges=merges, unk_token=unknown, **options)
    ours = {"fuse_unk": "fuse_unknown", "continuing_subword_prefix": "subword_prefix",
            "end_of_word_suffix": "word_suffix"}
    given = {ours.get(key, key): value for key, value in options.items()}
    given |= {"scores": as_scores} if as_scores else {"merges": merges}
    return entry(name, "bpe", model, pieces, tokens,
                 unknown=vocab[unknown] if unknown else None, **given)


def bpe_models(texts, pieces):
    latin = [text for text in texts if text.isascii()]
    tokens, merges = train_bpe(marked_words_of(texts), 90, 250)
    plain = ["<unk>", "<s>", "</s>", *tokens]
    with_bytes = plain[:3] + BYTES + plain[3:]
    holes = [token for token in with_bytes if token not in ("<0xC3>", "<0xF0>")]
    yield bpe("bpe", pieces, plain, merges)
    yield bpe("bpe, unknown fused", pieces, plain, merges, fuse_unk=True)
    yield bpe("bpe, nothing unknown", pieces, plain, merges, unknown=None)
    yield bpe("bpe, byte fallback", pieces, with_bytes, merges, fuse_unk=True, byte_fallback=True)
    yield bpe("bpe, bytes missing", pieces, holes, merges, byte_fallback=True)
    yield bpe("bpe, merges ignored", pieces, with_bytes + ["the" * 60, MARK * 40, "ab" * 40],
              merges, fuse_unk=True, byte_fallback=True, ignore_merges=True)
    # A merge that crosses from a word to the next one: the text may not be cut there.
    marked = next(left + right for left, right in merges if left == MARK)
    crossing = [(".", MARK), *merges, ("e", marked)]
    yield bpe("bpe, merges across words", pieces, with_bytes + ["." + MARK, "e" + marked],
              crossing, fuse_unk=True, byte_fallback=True)
    # Scores in place of merges, many of them equal.
    for name, score_of in [("by rank", lambda i: -i), ("in ties", lambda i: -(i // 40)),
                           ("shuffled", lambda i: -(i * 7919 % 97))]:
        scores = [float(score_of(i)) for i in range(len(with_bytes))]
        implied = generate_merges({token: i for i, token in enumerate(with_bytes)},
                                  dict(zip(with_bytes, scores)))
        yield bpe(f"bpe, scores {name}", pieces, with_bytes, implied, as_scores=scores,
                  fuse_unk=True, byte_fallback=True)
    for name, prefix, suffix in [("prefix", "##", ""), ("suffix", "", "</w>"),
                                 ("prefix and suffix", "##", "</w>")]:
        tokens, merges = train_bpe(words_of(latin), 60, 120, prefix, suffix)
        tokens = ["<unk>", *tokens]
        dress = {"continuing_subword_prefix": prefix} if prefix else {}
        dress |= {"end_of_word_suffix": suffix} if suffix else {}
        yield bpe(f"bpe, {name}", pieces, tokens, merges, fuse_unk=True, **dress)
        yield bpe(f"bpe, {name}, byte fallback", pieces, tokens + BYTES, merges, byte_fallback=True,
                  **dress)


def unigram(name, pieces, vocab, unknown, byte_fallback):
    model = models.Unigram(vocab, unk_id=unknown, byte_fallback=byte_fallback)
    return entry(name, "unigram", model, pieces, [token for token, _ in vocab],
                 scores=[score for _, score in vocab], unknown=unknown, byte_fallback=byte_fallback)


def unigram_models(texts, pieces, rng):
    parts = Counter()
    for word, count in marked_words_of(text for text in texts if text.isascii()).items():
        for begin in range(len(word)):
            for end in range(begin + 1, min(len(word), begin + 8) + 1):
                parts[word[begin:end]] += count
    best = sorted(parts.items(), key=lambda item: (-item[1] * len(item[0]), item[0]))[:420]
    total = sum(count for _, count in best)
    vocab = [("<unk>", 0.0), *((part, math.log(count / total)) for part, count in best)]
    with_bytes = vocab + [(byte, -20.0 - i / 64) for i, byte in enumerate(BYTES)]
    yield unigram("unigram", pieces, vocab, 0, False)
    yield unigram("unigram, byte fallback", pieces, with_bytes, 0, True)
    tied = [(token, float(-rng.randrange(1, 4) * len(token))) for token, _ in vocab]
    yield unigram("unigram, ties", pieces, tied, 0, False)
    twice = tied + [(token, -1.0) for token, _ in tied[5:60]]
    yield unigram("unigram, tokens twice", pieces, twice, 0, False)


def word_piece_models(texts, pieces):
    tokens, _ = train_bpe(words_of(text for text in texts if text.isascii()), 70, 300, "##")
    tokens = ["[UNK]", *tokens, "@@e", "@@es"]
    vocab = {token: index for index, token in enumerate(tokens)}
    for name, prefix, limit in [("word piece", "##", 100), ("word piece, short words", "##", 6),
                                ("word piece, no prefix", "", 100),
                                ("word piece, another prefix", "@@", 100)]:
        model = models.WordPiece(vocab=vocab, unk_token="[UNK]", continuing_subword_prefix=prefix,
                                 max_input_chars_per_word=limit)
        yield entry(name, "word piece", model, pieces, tokens, unknown=vocab["[UNK]"],
                    subword_prefix=prefix, max_word_characters=limit)


def trained_charsmap(texts):
    """A charsmap that sentencepiece compiled from some of NFKC's rules and a few of our own."""
    rules = {"\ufb01": "fi", "\u2122": "TM", "\u00ad": "", "\t": " ", "\u3000": " ", "\r\n": "\n",
             "e\u0301\u0302": "\u1ebf", "ABC": "abc"}
    for code in [*range(0xA0, 0x180), *range(0x1E00, 0x1E60), *range(0xFF01, 0xFF60),
                 *range(0x2460, 0x2480), *range(0x3131, 0x3140)]:
        character = chr(code)
        for form in (unicodedata.normalize("NFD", character), character):
            normal = unicodedata.normalize("NFKC", form)
            if normal != form:
                rules[form] = normal
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "rules.tsv"
        points = lambda text: " ".join(f"{ord(character):X}" for character in text)
        table.write_text("".join(f"{points(a)}\t{points(b)}\n" for a, b in sorted(rules.items())))
        corpus = Path(folder) / "corpus.txt"
        corpus.write_text("\n".join(text for text in texts if text.isascii()))
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus), model_prefix=str(Path(folder) / "model"), vocab_size=200,
            normalization_rule_tsv=str(table), hard_vocab_limit=False, minloglevel=2)
        proto = sentencepiece_model_pb2.ModelProto()
        proto.ParseFromString((Path(folder) / "model.model").read_bytes())
    return proto.normalizer_spec.precompiled_charsmap, list(rules)


def clusters_charsmap():
    """Each text that begins with a byte past 0x7F becomes "Z"."""
    units = [0] * 1024
    units[0] = 256 << 10
    for byte in range(0x80, 0x100):
        units[256 + byte] = byte | 1 << 8 | 512 << 10
        units[768 + byte] = 1 << 31
    trie = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(trie)) + trie + b"Z\0"


def charsmap_cases(texts, keys, rng):
    yield from rng.sample([text for text in texts if len(text) < 80], 30)
    yield from ("a\0b\ufb01\0\ufb01", "\ufb01\u0301", "\r\n\r\r\n\n", "e\u0301\u0302e\u0302\u0301")
    marks = ["\u0301", "\u0302", "\u0308", "\u030a", "\u200d", "\u200c", "\u0600", "\u093e", "\u094d",
             "\u0915", "\u0937", "\u1100", "\u1161", "\u11a8", "\uac00", "\u00a9", "\U0001F1E6",
             "\U0001F600", "\U0001F3FD", "\u2065", "\ufff0", "\u0897", "\u1ae0", "\u0d4e", "\u17d2"]
    for _ in range(200):
        pool = rng.choice([keys, marks, keys + marks * 8, list("ABCabc\r\n\0 ") + marks])
        yield "".join(rng.choice(pool) for _ in range(rng.randrange(1, 14)))


def write(name, value):
    (OUT / name).write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n",
                            encoding="utf-8")
    print(f"{name}: {(OUT / name).stat().st_size} bytes")


def shared_lists(entries):
    """Lists that several models have are written once, and named by where they stand in "lists"."""
    lists = []
    for model in entries:
        for key in ("tokens", "merges"):
            if key in model:
                value = [list(x) if isinstance(x, tuple) else x for x in model[key]]
                if value not in lists:
                    lists.append(value)
                model[key] = lists.index(value)
    return {"lists": lists, "models": entries}


def main():
    texts = [text for text in json.loads((OUT / "texts.json").read_text(encoding="utf-8"))
             if "\0" not in text]
    rng = random.Random(20261128)
    pieces = make_pieces(texts, rng)
    prose = texts[:100]  # written by people; the rest is random
    entries = [*bpe_models(prose, pieces), *unigram_models(prose, pieces, rng),
               *word_piece_models(prose, pieces)]
    write("token_models.json", {"pieces": pieces, **shared_lists(entries)})

    charsmap, keys = trained_charsmap(texts)
    cases = list(charsmap_cases(texts, keys, rng))
    table = {}
    for name, blob in [("charsmap", charsmap), ("clusters_charsmap", clusters_charsmap())]:
        normalizer = normalizers.Precompiled(blob)
        table[name] = {"hex": blob.hex(),
                       "cases": [[case, normalizer.normalize_str(case)] for case in cases]}
    write("charsmap.json", table)


if __name__ == "__main__":
    main()
