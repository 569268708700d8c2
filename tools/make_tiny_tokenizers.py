#!/usr/bin/env python3
"""Trains the small tokenizers of tests/data/tokenizer/tiny/ and the corpus of tests/fuzz/tokenizer_json.

    python tools/make_tiny_tokenizers.py

Needs the package tokenizers alone. Each is of one family of published tokenizers, with its stages; the
training is deterministic, so a second run gives the same files.
"""
import json
import pathlib
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from make_tokenizer_corpus import CORPUS, KINDS, split  # noqa: E402

OUT = ROOT / "tests/data/tokenizer/tiny"
FUZZ = ROOT / "tests/fuzz/corpus/tokenizer_json"
SIZE = 900
MARK = "\u2581"


def special(*texts, **flags):
    return [AddedToken(t, special=True, normalized=False, **flags) for t in texts]


def byte_level(kind, **model):
    normalizer, pre_tokenizer, ignore_merges = KINDS[kind]
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges, **model))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS * 2, trainers.BpeTrainer(
        vocab_size=SIZE, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tokenizer


def gpt2():
    tokenizer = byte_level("gpt-2")
    tokenizer.add_special_tokens(special("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
    tokenizer.add_tokens([AddedToken("<tool>", normalized=False), AddedToken("the word", normalized=True),
                          AddedToken("cat", single_word=True, normalized=False)])
    return tokenizer


def llama3():
    tokenizer = byte_level("llama-bpe")
    tokenizer.add_special_tokens(special("<|begin_of_text|>", "<|eot_id|>"))
    begin = ("<|begin_of_text|>", tokenizer.token_to_id("<|begin_of_text|>"))
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1",
                                      special_tokens=[begin])])
    return tokenizer


def qwen2():
    tokenizer = byte_level("qwen2")
    tokenizer.add_special_tokens(special("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
    return tokenizer


def o200k():
    tokenizer = byte_level("gpt-4o")
    tokenizer.add_special_tokens(special("<|endoftext|>"))
    return tokenizer


def deepseek():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"\p{N}{1,3}"), "isolated"),
        pre_tokenizers.Split(Regex("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"), "isolated"),
        pre_tokenizers.Split(Regex(
            r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
            r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS * 2, trainers.BpeTrainer(
        vocab_size=SIZE, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.add_special_tokens(special("<|begin\u2581of\u2581sentence|>"))
    return tokenizer


def roberta():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS * 2, trainers.BpeTrainer(
        vocab_size=SIZE, show_progress=False, special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False, special=True)])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer


def bert():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(CORPUS * 2, trainers.WordPieceTrainer(
        vocab_size=SIZE, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return tokenizer


def bytes_and(*texts):
    return [*texts, *(f"<0x{b:02X}>" for b in range(256))]


def llama2():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)])
    tokenizer.decoder = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    # Trained word by word, as SentencePiece does: without a pre-tokenizer merges would cross words.
    tokenizer.pre_tokenizer = pre_tokenizers.Split(MARK, "merged_with_next")
    tokenizer.train_from_iterator(CORPUS * 2, trainers.BpeTrainer(
        vocab_size=SIZE + 259, show_progress=False, special_tokens=bytes_and("<unk>", "<s>", "</s>"), limit_alphabet=300))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    return without_bytes_added(tokenizer, pre_tokenizer=None)


def without_bytes_added(tokenizer, **changes):
    """Training had the byte tokens as special ones; in the files they are ordinary tokens."""
    file = json.loads(tokenizer.to_str())
    file["added_tokens"] = [t for t in file["added_tokens"] if not t["content"].startswith("<0x")]
    file.update(changes)
    return Tokenizer.from_str(json.dumps(file))


def gemma():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", MARK)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(MARK, "merged_with_next")
    tokenizer.decoder = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.train_from_iterator(CORPUS * 2, trainers.BpeTrainer(
        vocab_size=SIZE + 259, show_progress=False, limit_alphabet=300,
        special_tokens=bytes_and("<pad>", "<eos>", "<bos>", "<unk>")))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos>:1 $B:1", special_tokens=[("<bos>", 2)])
    again = without_bytes_added(tokenizer, pre_tokenizer={
        "type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False})
    again.add_tokens([AddedToken("\n" * n, normalized=False) for n in (2, 3)]
                     + [AddedToken("<start_of_turn>", special=True, normalized=False), AddedToken("[@BOS@]")])
    return again


def mistral_metaspace():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
    tokenizer.decoder = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.train_from_iterator(CORPUS * 2, trainers.BpeTrainer(
        vocab_size=SIZE + 259, show_progress=False, special_tokens=bytes_and("<unk>", "<s>", "</s>"), limit_alphabet=300))
    again = without_bytes_added(tokenizer, pre_tokenizer={
        "type": "Metaspace", "replacement": MARK, "prepend_scheme": "first", "split": False})
    again.add_special_tokens(special("[INST]", "[/INST]", rstrip=True))
    return again


def unigram(**trainer):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator(CORPUS * 2, trainers.UnigramTrainer(vocab_size=SIZE, show_progress=False, **trainer))
    return tokenizer


def t5():
    tokenizer = unigram(special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>")
    tokenizer.add_special_tokens(special("<extra_id_0>", "<extra_id_1>"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return tokenizer


def xlm_r():
    tokenizer = unigram(special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>")
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False, special=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return tokenizer


def falcon():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False),
        pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS * 2, trainers.BpeTrainer(
        vocab_size=SIZE, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.add_special_tokens(special("<|endoftext|>"))
    return tokenizer


def clip():
    tokenizer = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS * 2, trainers.BpeTrainer(
        vocab_size=SIZE, show_progress=False, end_of_word_suffix="</w>",
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<|startoftext|>", "<|endoftext|>"]))
    tokenizer.post_processor = processors.RobertaProcessing(("<|endoftext|>", 1), ("<|startoftext|>", 0),
                                                            add_prefix_space=False, trim_offsets=False)
    return tokenizer


# "byte_level" in a name: any bytes have tokens, nothing is normalized, no space is put in front.
TINY = {"byte_level_gpt2": gpt2, "byte_level_llama3": llama3, "qwen2": qwen2, "byte_level_o200k": o200k,
        "byte_level_deepseek": deepseek, "byte_level_falcon": falcon, "roberta": roberta, "clip": clip, "bert": bert,
        "llama2": llama2, "mistral": mistral_metaspace, "gemma": gemma, "t5": t5, "xlm_r": xlm_r}


def smaller(file):
    """A file's shape with a vocabulary of a few tokens, for the fuzzer to change."""
    model = file["model"]
    added = [t["content"] for t in file["added_tokens"]]
    if isinstance(model["vocab"], dict):
        names = [t for t, _ in sorted(model["vocab"].items(), key=lambda item: item[1])]
        keep = [t for t in names if t in added or len(t) < 2 and t.isascii() or t in ("<0x0A>", "ab", "##a", MARK)][:60]
        merges = [m for m in model.get("merges", []) if m[0] in keep and m[1] in keep][:12]
        keep += [t for t in dict.fromkeys(m[0] + m[1] for m in merges) if t not in keep]
        model["vocab"] = {t: i for i, t in enumerate(keep)}
        if "merges" in model:
            model["merges"] = merges
    else:
        model["vocab"] = model["vocab"][:40]
        keep = [t for t, _ in model["vocab"]]
    next_id = len(keep)
    for token in file["added_tokens"]:
        if token["content"] in keep:
            token["id"] = keep.index(token["content"])
        else:
            token["id"], next_id = next_id, next_id + 1
    ids = {t: i for i, t in enumerate(keep)} | {t["content"]: t["id"] for t in file["added_tokens"]}
    fix_ids(file["post_processor"], ids)
    return file


def fix_ids(stage, ids):
    if not stage:
        return
    for one in stage.get("processors", []):
        fix_ids(one, ids)
    for name, token in stage.get("special_tokens", {}).items():
        token["ids"] = [ids[name]]
    for name in ("sep", "cls"):
        if name in stage:
            stage[name][1] = ids[stage[name][0]]


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    FUZZ.mkdir(parents=True, exist_ok=True)
    for name, make in TINY.items():
        text = make().to_str(pretty=False)
        (OUT / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        seed = json.dumps(smaller(json.loads(text)), ensure_ascii=False)
        Tokenizer.from_str(seed)
        (FUZZ / f"{name}.json").write_text(seed, encoding="utf-8")
        print(f"{name}: {len(text.encode())} bytes, seed {len(seed.encode())} bytes")
    seed = (FUZZ / "byte_level_gpt2.json").read_text(encoding="utf-8")
    config = json.dumps({"bos_token": "<|endoftext|>", "eos_token": {"content": "<|im_end|>"}, "add_bos_token": True})
    (FUZZ / "with_settings").write_text(seed + "\0" + config + "\0" + '{"pad_token": "a"}', encoding="utf-8")


if __name__ == "__main__":
    main()
