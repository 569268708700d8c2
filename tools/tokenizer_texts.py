"""The texts of tools/tokenizer_diff.py: a corpus of several megabytes and random strings, both the same on
every run (the corpus: with the same Python and packages)."""
import pathlib
import random
import sysconfig

from make_tokenizer_corpus import CHUNKS, CORPUS, INTERESTING, random_text

MEGABYTE = 1_000_000
LOCALES = ("ar_AA az_AZ bn_BD cs_CZ da_DK de_DE el_GR en_US es_ES et_EE fa_IR fi_FI fil_PH fr_FR he_IL hi_IN "
           "hr_HR hu_HU hy_AM id_ID it_IT ja_JP ka_GE ko_KR lt_LT lv_LV ne_NP nl_NL no_NO pl_PL pt_BR ro_RO "
           "ru_RU sk_SK sl_SI sv_SE ta_IN th_TH tr_TR uk_UA vi_VN zh_CN zh_TW").split()


def bounded(pieces, size_bytes):
    """Pieces until they make size_bytes."""
    out, total = [], 0
    for piece in pieces:
        if total >= size_bytes:
            break
        out.append(piece)
        total += len(piece.encode())
    return out


def code(rng):
    """The files of Python's own library, each cut into texts of up to 20,000 characters."""
    root = pathlib.Path(sysconfig.get_paths()["stdlib"])
    files = sorted(p for p in root.glob("*.py")) + sorted(root.glob("json/*.py")) + sorted(root.glob("email/*.py"))
    rng.shuffle(files)
    for path in files:
        text = path.read_text(errors="replace")
        at = 0
        while at < len(text):
            length = rng.choice((80, 400, 3000, 20000))
            yield text[at:at + length]
            at += length


def languages(rng):
    """Sentences of many languages, names and addresses with their digits, from the package faker."""
    from faker import Faker
    from faker.config import AVAILABLE_LOCALES
    makers = []
    for locale in LOCALES:
        if locale in AVAILABLE_LOCALES:
            maker = Faker(locale)
            maker.seed_instance(rng.randrange(1 << 30))
            makers.append(maker)
    while True:
        maker = rng.choice(makers)
        kind = rng.randrange(4)
        if kind == 0:
            yield "\n".join(maker.paragraph(nb_sentences=8) for _ in range(rng.randrange(1, 12)))
        elif kind == 1:
            yield maker.text(max_nb_chars=400)
        elif kind == 2:
            yield f"{maker.name()}, {maker.address()} — {maker.date()}, {maker.random_int()}"
        else:
            yield " ".join(maker.sentence() for _ in range(3))


def mixtures(rng):
    """The committed sentences, shuffled word by word and glued with odd white space and emoji."""
    spaces = [" "] * 12 + ["  ", "\n", "\n\n", "\r\n", "\t", "\u00a0", "\u3000", " \n ", "\u200b", "    ", ""]
    emoji = list("😀😃🚀❤👍🏽👩🔥🫠") + ["👩‍🚀", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇫🇷", "1️⃣", "☕︎"]
    words = [w for text in CORPUS for w in text.split(" ")]
    while True:
        parts = []
        for _ in range(rng.choice((5, 30, 200, 1500))):
            parts.append(rng.choice(words))
            parts.append(rng.choice(spaces))
            if rng.random() < 0.08:
                parts.append(rng.choice(emoji))
        yield "".join(parts)


def broken(rng):
    """Bytes that are no UTF-8, as Python lets them in: with U+FFFD for what is broken."""
    while True:
        data = bytearray(rng.choice(CORPUS).encode() + rng.randbytes(8))
        for _ in range(max(1, len(data) // 20)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        yield data.decode("utf-8", "replace")


def corpus(size_bytes, languages_too=True):
    rng = random.Random(4)
    texts = list(CORPUS)
    texts += bounded(code(rng), size_bytes * 3 // 10)
    texts += bounded(languages(rng), size_bytes * 4 // 10) if languages_too else []
    texts += bounded(mixtures(rng), size_bytes * (2 if languages_too else 6) // 10)
    texts += bounded(broken(rng), size_bytes // 10)
    rng.shuffle(texts)
    return texts


class RandomStrings:
    """`count` seeded strings in batches; `words` (a tokenizer's own tokens) are strewn into some."""

    def __init__(self, seed, count, words, batch=20_000):
        self.rng, self.count, self.batch = random.Random(seed), count, batch
        self.words = list(words)

    def text(self):
        rng = self.rng
        kind = rng.randrange(10)
        if kind < 5 or not self.words:
            return random_text(rng)
        if kind < 7:
            return "".join(rng.choice(rng.choice((self.words, CHUNKS, [" "]))) for _ in range(rng.randrange(1, 14)))
        if kind < 9:
            return " ".join(rng.choice(self.words) for _ in range(rng.randrange(1, 10)))
        word = rng.choice(self.words)
        return rng.choice(INTERESTING) * rng.randrange(3) + word * rng.randrange(1, 4) + rng.choice(INTERESTING)

    def batches(self):
        left = self.count
        while left > 0:
            size = min(left, self.batch)
            left -= size
            yield [self.text() for _ in range(size)]


def broken_bytes(seed, count):
    """Byte strings that are partly UTF-8."""
    rng = random.Random(seed)
    for _ in range(count):
        data = bytearray(random_text(rng).encode())
        for _ in range(rng.randrange(1, 5)):
            at = rng.randrange(len(data) + 1)
            data[at:at + rng.randrange(2)] = rng.randbytes(rng.randrange(1, 4))
        yield bytes(data)
