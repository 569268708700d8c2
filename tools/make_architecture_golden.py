#!/usr/bin/env python3
"""Makes tests/data/models/* and tests/golden/architectures.{json,bin}: a tiny random model of each architecture
and what transformers answers to prompts with it.

Each variant below becomes a Hugging Face folder, written by save_pretrained, and, where llama.cpp's converter has
words for it, a GGUF file made by that converter. Both are read by tests/golden/architectures_test.cc, which holds
this program to the logits. The weights are spread so that leaving out any part (a norm, a cap, a window, a bias)
moves the logits by far more than the tolerance.

Needs: torch, transformers, tokenizers, numpy; for GGUF the converter of the llama.cpp peer that
bench/peers/llama_cpp.sh fetches (--peer FOLDER says where else). `./dev test` needs none of them.
Run:   python3 tools/make_architecture_golden.py [--peer FOLDER] [--only NAME ...]

With --only the other variants' answers are kept as they are.

Layout of architectures.bin, little-endian, in the json's order of variants, prompts and positions:
  vocabulary x float32 logits
"""

import argparse
import contextlib
import json
import os
import pathlib
import sys

import numpy
import tokenizers
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODELS = ROOT / "tests/data/models"
GOLDEN = ROOT / "tests/golden/architectures"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "hangar"
VOCABULARY = 288
LENGTHS = (1, 7, 33, 60)

SHAPE = dict(
    vocab_size=VOCABULARY,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=128,
    bos_token_id=0,
    eos_token_id=1,
    pad_token_id=1,
    attn_implementation="eager",  # the only one that knows soft caps
)
LLAMA3_ROPE = dict(
    rope_type="llama3",
    rope_theta=1000.0,
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=16,
)
YARN_ROPE = dict(
    rope_type="yarn", rope_theta=1000.0, factor=4.0, original_max_position_embeddings=32, beta_fast=8.0, beta_slow=1.0
)
LONG_ROPE = dict(
    rope_type="longrope",
    rope_theta=1000.0,
    partial_rotary_factor=0.5,
    original_max_position_embeddings=32,
    short_factor=[1.0, 1.1, 1.3, 1.6],
    long_factor=[1.5, 2.5, 4.0, 7.0],
)


class Variant:
    """One model: `config` of class `kind` over SHAPE; what GGUF cannot be told by the converter is in `gguf_keys`
    (key without the architecture's prefix: value); gguf=False where the format has no words for it."""

    def __init__(self, name, kind, gguf=True, gguf_keys=None, dtype=torch.bfloat16, legacy=None, spread=1.6, **config):
        self.name, self.kind, self.gguf, self.dtype = name, kind, gguf, dtype
        self.gguf_keys = gguf_keys or {}
        self.legacy = legacy  # edits config.json into the form that files before transformers 5 have
        self.spread = spread  # of the layers' matrices, times 1 / sqrt(inputs)
        self.config = config


def legacy_rope(config):
    """rope_parameters, as transformers 5 writes it, to rope_theta and rope_scaling."""
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    if (partial := rope.pop("partial_rotary_factor", None)) is not None:
        config["partial_rotary_factor"] = partial
    if rope.get("rope_type") == "longrope":
        config["original_max_position_embeddings"] = rope.pop("original_max_position_embeddings")
        rope["type"] = rope.pop("rope_type")
    config["rope_scaling"] = None if rope.get("rope_type") == "default" else rope
    config["torch_dtype"] = config.pop("dtype")


def legacy_gemma3(config):
    ropes = config.pop("rope_parameters")
    config["rope_theta"] = ropes["full_attention"].pop("rope_theta")
    config["rope_local_base_freq"] = ropes["sliding_attention"]["rope_theta"]
    config["rope_scaling"] = ropes["full_attention"]
    config["sliding_window_pattern"] = 6
    del config["layer_types"]
    config["torch_dtype"] = config.pop("dtype")


VARIANTS = [
    Variant("llama2", transformers.LlamaConfig, dtype=torch.float32, legacy=legacy_rope, tie_word_embeddings=False),
    Variant("llama3", transformers.LlamaConfig, rope_parameters=LLAMA3_ROPE, legacy=legacy_rope, tie_word_embeddings=True),
    # What Llama's config allows besides: biases everywhere, heads of another size, linear scaling.
    Variant(
        "llama_biases",
        transformers.LlamaConfig,
        attention_bias=True,
        mlp_bias=True,
        head_dim=16,
        rope_parameters=dict(rope_type="linear", rope_theta=1000.0, factor=4.0),
        tie_word_embeddings=False,
    ),
    Variant(
        "mistral",
        transformers.MistralConfig,
        gguf_keys={"attention.sliding_window": 9},  # llama.cpp has no windows for "llama" and writes none
        sliding_window=9,
        head_dim=16,
        tie_word_embeddings=False,
    ),
    Variant(
        "mixtral",
        transformers.MixtralConfig,
        num_local_experts=6,
        num_experts_per_tok=2,
        intermediate_size=24,
        tie_word_embeddings=False,
    ),
    Variant("qwen2", transformers.Qwen2Config, rope_parameters=YARN_ROPE, legacy=legacy_rope, tie_word_embeddings=True),
    # Windows in the upper layers only: a Hugging Face setting that GGUF has no key for.
    Variant(
        "qwen2_windows",
        transformers.Qwen2Config,
        gguf=False,
        num_hidden_layers=3,
        use_sliding_window=True,
        sliding_window=9,
        max_window_layers=1,
        tie_word_embeddings=False,
    ),
    Variant("qwen3", transformers.Qwen3Config, head_dim=16, tie_word_embeddings=True),
    Variant(
        "qwen3moe",
        transformers.Qwen3MoeConfig,
        head_dim=16,
        num_experts=8,
        num_experts_per_tok=3,
        moe_intermediate_size=16,
        norm_topk_prob=True,
        tie_word_embeddings=False,
    ),
    # Weights that are not normalized, and a layer without experts: Hugging Face only.
    Variant(
        "qwen3moe_mixed",
        transformers.Qwen3MoeConfig,
        gguf=False,
        num_hidden_layers=3,
        head_dim=8,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=16,
        norm_topk_prob=False,
        mlp_only_layers=[1],
        tie_word_embeddings=True,
    ),
    Variant("gemma", transformers.GemmaConfig, legacy=legacy_rope, head_dim=16),
    Variant(
        "gemma2",
        transformers.Gemma2Config,
        gguf_keys={"attention.scale": 24**-0.5},  # llama.cpp takes it from the head's size
        num_hidden_layers=3,
        head_dim=16,
        query_pre_attn_scalar=24,
        sliding_window=9,
        attn_logit_softcapping=3.0,
        final_logit_softcapping=6.0,
    ),
    Variant(
        "gemma3",
        transformers.Gemma3TextConfig,
        legacy=legacy_gemma3,
        num_hidden_layers=7,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        query_pre_attn_scalar=16,
        sliding_window=9,
        rope_parameters=dict(
            full_attention=dict(rope_type="linear", rope_theta=1000.0, factor=8.0),
            sliding_attention=dict(rope_type="default", rope_theta=10.0),
        ),
        gguf_keys={"rope.freq_base_swa": 10.0},
    ),
    Variant(
        "phi3",
        transformers.Phi3Config,
        num_attention_heads=2,
        num_key_value_heads=1,
        sliding_window=9,
        original_max_position_embeddings=128,
        rope_parameters=dict(rope_type="default", rope_theta=1000.0, partial_rotary_factor=0.5),
        tie_word_embeddings=False,
    ),
    Variant(
        "phi3_longrope",
        transformers.Phi3Config,
        legacy=legacy_rope,
        num_attention_heads=2,
        num_key_value_heads=1,
        original_max_position_embeddings=32,
        rope_parameters=LONG_ROPE,
        tie_word_embeddings=True,
    ),
    Variant(
        "smollm3",
        transformers.SmolLM3Config,
        spread=1.2,
        num_hidden_layers=5,
        no_rope_layer_interval=4,
        rope_parameters=dict(rope_type="default", rope_theta=1000.0),
        tie_word_embeddings=True,
    ),
]

# What is asked of each model: (name of the case, variant, context the model is started with, prompt lengths).
# longrope has two sets of factors; transformers chooses by a sequence's length, this program by the context.
CASES = [(v.name, v.name, 0, LENGTHS) for v in VARIANTS if v.name != "phi3_longrope"] + [
    ("phi3_longrope_short", "phi3_longrope", 32, (1, 7, 20, 32)),
    ("phi3_longrope_long", "phi3_longrope", 128, (33, 60, 75)),
]


def positions_of(length):
    """All of a short prompt; of a long one some that lie before, at and past the windows, and the last."""
    return list(range(length)) if length <= 8 else sorted({0, 8, 9, 10, 17, length // 2, length - 2, length - 1})


def spread(model, variant):
    """Random weights of which each one shows in the logits."""
    generator = torch.Generator().manual_seed(sum(variant.name.encode()))
    zero_centred_norms = variant.name.startswith("gemma")
    for name, weight in sorted(model.named_parameters()):
        values = torch.randn(weight.shape, generator=generator)
        if "norm" in name:
            values = values * 0.3 + (0.0 if zero_centred_norms else 1.0)
        elif name.endswith("bias"):
            values = values * 0.5
        elif "embed_tokens" in name:
            # Tied tables are heads as well; Gemma multiplies rows by sqrt(hidden).
            values = values * (0.6 if model.config.tie_word_embeddings else 1.0)
        elif "lm_head" in name:
            values = values * 0.6
        elif name.endswith(("mlp.gate.weight", "block_sparse_moe.gate.weight")):
            values = values * 0.5  # routers
        else:
            values = values * variant.spread / weight.shape[-1] ** 0.5
        weight.data.copy_(values)


def make_tokenizer(folder):
    """Byte-level BPE: 256 bytes, a few merges, and names up to the vocabulary's size."""
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("i", "n"), ("a", "n"), ("e", "r"), ("Ġ", "the"), ("o", "n"), ("r", "e")]
    words = ["<|begin|>", "<|end|>"] + alphabet + [a + b for a, b in merges]
    words += [f"<|spare_{i}|>" for i in range(VOCABULARY - len(words))]
    made = tokenizers.Tokenizer(tokenizers.models.BPE({word: i for i, word in enumerate(words)}, merges))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    made.add_special_tokens(["<|begin|>", "<|end|>"])
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<|begin|>", eos_token="<|end|>", pad_token="<|end|>"
    ).save_pretrained(folder)


def make_folder(variant):
    folder = MODELS / variant.name
    config = variant.kind(**(SHAPE | variant.config))
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    spread(model, variant)
    model.to(variant.dtype).save_pretrained(folder)
    path = folder / "config.json"
    written = json.loads(path.read_text())
    if variant.legacy:
        variant.legacy(written)
    path.write_text(json.dumps(written, indent=1) + "\n")
    make_tokenizer(folder)
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder


@contextlib.contextmanager
def peer_on_path(peer):
    sys.path[:0] = [str(peer), str(peer / "gguf-py")]
    try:
        yield
    finally:
        del sys.path[:2]


def make_gguf(variant, folder, peer):
    with peer_on_path(peer):
        import gguf
        import conversion

        hparams = conversion.ModelBase.load_hparams(folder, False)
        kind = conversion.get_model_class(conversion.get_model_architecture(hparams, conversion.ModelType.TEXT))

        class Tiny(kind):  # the vocabulary is ours, and so are keys that the converter leaves out
            model_arch = kind.model_arch

            def set_vocab(self):
                listed = json.loads((self.dir_model / "tokenizer.json").read_text())
                special = {token["id"] for token in listed["added_tokens"]}
                words = sorted(listed["model"]["vocab"], key=listed["model"]["vocab"].get)
                types = [gguf.TokenType.CONTROL if i in special else gguf.TokenType.NORMAL for i in range(len(words))]
                self.gguf_writer.add_tokenizer_model("gpt2")
                self.gguf_writer.add_tokenizer_pre("gpt-2")
                self.gguf_writer.add_token_list(words)
                self.gguf_writer.add_token_types(types)
                gguf.SpecialVocab(self.dir_model, load_merges=True).add_to_gguf(self.gguf_writer)

            def set_gguf_parameters(self):
                super().set_gguf_parameters()
                for key, value in variant.gguf_keys.items():
                    full = f"{self.gguf_writer.arch}.{key}"
                    if isinstance(value, int):
                        self.gguf_writer.add_uint32(full, value)
                    else:
                        self.gguf_writer.add_float32(full, value)

        kind_of_file = "ALL_F32" if variant.dtype == torch.float32 else "MOSTLY_BF16"
        with torch.inference_mode():
            Tiny(folder, getattr(gguf.LlamaFileType, kind_of_file), MODELS / f"{variant.name}.gguf").write()


def answers(folder, lengths, seed):
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    generator = numpy.random.default_rng(seed)
    prompts, logits = [], []
    for length in lengths:
        ids = [int(i) for i in generator.integers(0, VOCABULARY, length)]
        with torch.inference_mode():
            rows = model(torch.tensor([ids]), use_cache=False).logits[0].float().numpy()
        prompts.append({"ids": ids, "positions": positions_of(length)})
        logits.append(rows[positions_of(length)])
    return prompts, numpy.concatenate(logits)


def read_kept():
    """case name: (its json, its logits) of what lies there already."""
    try:
        listed = json.loads(GOLDEN.with_suffix(".json").read_text())
        rows = numpy.fromfile(GOLDEN.with_suffix(".bin"), "<f4").reshape(-1, VOCABULARY)
    except FileNotFoundError:
        return {}
    kept, at = {}, 0
    for case in listed["cases"]:
        count = sum(len(prompt["positions"]) for prompt in case["prompts"])
        kept[case["name"]] = (case, rows[at : at + count])
        at += count
    return kept


def default_peer():
    found = sorted((CACHE / "peers").glob("llama_cpp-*/source/vendor/llama.cpp"))
    return found[-1] if found else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=pathlib.Path, default=default_peer())
    parser.add_argument("--only", nargs="*", choices=[v.name for v in VARIANTS])
    options = parser.parse_args()
    if options.peer is None:
        sys.exit("no llama.cpp source: run bench/peers/llama_cpp.sh, or say --peer FOLDER")
    torch.set_num_threads(1)
    kept = read_kept()
    cases, rows = [], []
    wanted = [v for v in VARIANTS if not options.only or v.name in options.only]
    for variant in wanted:
        folder = make_folder(variant)
        if variant.gguf:
            make_gguf(variant, folder, options.peer)
    by_name = {v.name: v for v in VARIANTS}
    for name, variant, context, lengths in CASES:
        if by_name[variant] not in wanted and name in kept:
            case, logits = kept[name]
        else:
            prompts, logits = answers(MODELS / variant, lengths, sum(name.encode()))
            case = dict(
                name=name, model=variant, gguf=by_name[variant].gguf, context_tokens=context, prompts=prompts
            )
        print(f"{name}: logits of {numpy.std(logits):.2f} on average, {numpy.abs(logits).max():.2f} at most")
        cases.append(case)
        rows.append(logits)
    listed = dict(
        made_with=dict(torch=torch.__version__, transformers=transformers.__version__),
        vocabulary=VOCABULARY,
        cases=cases,
    )
    text = json.dumps(listed)
    GOLDEN.with_suffix(".json").write_text(text.replace('{"name"', '\n{"name"') + "\n")
    numpy.concatenate(rows).astype("<f4").tofile(GOLDEN.with_suffix(".bin"))


if __name__ == "__main__":
    main()
