#!/usr/bin/env python3
"""Makes tests/golden/smollm2.{json,bin}: what the default model must answer.

The reference is transformers: it reads and dequantizes the same GGUF and computes in float32. Token ids
come from the `tokenizers` package with the model's vocabulary and merges, and are compared with
llama.cpp's. llama.cpp's distance from the reference is measured on the same prompts and positions, by
tools/llama_logits.cc against the peer that bench/peers/llama_cpp.sh builds.

Needs: torch, transformers, accelerate, tokenizers, gguf, numpy (`./dev test` needs none of them).
Run:   python3 tools/make_golden.py [--model GGUF] [--peer FOLDER] [--threads N]

The measure. KL(reference || other) over the reference's TOP likeliest tokens plus one bucket for all the
rest. Of every position the bin file holds those TOP ids (uint16), their logits (float32) and the
logsumexp of the rest (float32). Joining the tail into one bucket can only make a KL smaller; by how much
is measured here with llama.cpp's whole logits and written down as `bucket_ratio` (bucketed / whole).

Layout of the bin file, little-endian, prompts and positions in the json's order:
  TOP x uint16 ids, likeliest first | TOP x float32 logits | float32 logsumexp of the other logits
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "hangar"
MODEL_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
TOP = 2048
POSITIONS = 6
GREEDY_TOKENS = 64

CHAT = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)
LONG = """The city's water works was built in 1887 by a company of brewers who needed soft water. A steam pump
lifted it from the river to a reservoir on the hill, and from there it ran down to the breweries through
pipes of cast iron. When the company failed, the council bought the pumps for a third of what they had cost,
and for the first time the poorer streets by the harbour had taps. The engineer in charge, a Mrs. Hallam,
kept a diary of every fault: frozen valves in the winter of 1895, eels in the filters, a boiler that burst
on a Sunday when, by luck, nobody was there. Her drawings show how she moved the intake upstream, past the
tannery, after the doctors had counted where people fell ill. The reservoir was roofed over in 1911. In 1940
a bomb cut the main, and the fire service pumped from the old canal for nine days. Electric pumps replaced
the last steam engine in 1953; it stands in the museum now and is run on the first Saturday of each month.
Today the works treats forty million litres a day, with sand, ozone and ultraviolet light. Visitors ask most
often about the eels. The guide's answer is that"""
MEDIUM = """def merge(a, b):
    \"\"\"Merge two sorted lists into one sorted list.\"\"\"
    out = []
    i = j = 0
    while i < len(a) and j < len(b):
        if a[i] <= b[j]:
            out.append(a[i])
            i += 1
        else:
            out.append(b[j])
            j += 1
    out.extend(a[i:])
    out.extend(b[j:])
    return out


def merge_sort(items):
    if len(items) <= 1:
        return"""

PROMPTS = [
    ("one_token", "The"),
    ("one_special", "<|im_start|>"),
    ("capital", "The capital of France is"),
    ("chat_capital", CHAT.format("What is the capital of Japan?")),
    ("chat_haiku", CHAT.format("Write a haiku about rain.")),
    ("chat_sum", CHAT.format("What is 17 + 25?")),
    ("chat_french", CHAT.format("Dis bonjour en trois langues.")),
    ("python", "def fibonacci(n):\n    if n < 2:\n        return n\n    return"),
    ("cpp", "#include <vector>\n\nint sum(const std::vector<int>& values) {\n  int total = 0;\n  for"),
    ("sql", "SELECT name, COUNT(*) FROM orders WHERE total > 100 GROUP BY"),
    ("json", '{"name": "Ada Lovelace", "born": 1815, "fields": ["mathematics", "'),
    ("html", '<ul class="menu">\n  <li><a href="/home">Home</a></li>\n  <li>'),
    ("digits", "1, 2, 4, 8, 16, 32, 64,"),
    ("dates", "Monday 3 March 2025, Tuesday 4 March 2025, Wednesday"),
    ("german", "Der schnelle braune Fuchs springt über den"),
    ("spanish", "Había una vez en un pueblo pequeño un"),
    ("russian", "Москва является столицей"),
    ("chinese", "今天天气很好,我们去"),
    ("arabic", "السلام عليكم"),
    ("emoji", "I love pizza 🍕 and music 🎵 because"),
    ("white_space", "a\t\tb\n\n\n   c    d\r\n  "),
    ("repeat", "red blue red blue red blue red"),
    ("physics", "Water boils at 100 degrees Celsius because at that temperature its vapour pressure"),
    ("story", "Once upon a time, in a land far away, there lived a young girl who"),
    ("medium_code", MEDIUM),
    ("long", LONG),
]


def build_tokenizer(path):
    """The pipeline of SmolLM2's own tokenizer, from the vocabulary and merges in the GGUF."""
    from gguf import GGUFReader
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

    fields = GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
    kinds = fields["tokenizer.ggml.token_type"].contents()
    assert fields["tokenizer.ggml.pre"].contents() == "smollm"
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    control = 3  # gguf.TokenType.CONTROL
    tokenizer.add_special_tokens(
        [AddedToken(t, normalized=False) for t, kind in zip(tokens, kinds) if kind == control]
    )
    return tokenizer


def chosen_positions(length):
    """Up to POSITIONS positions, spread evenly, the last one always among them."""
    count = min(POSITIONS, length)
    return sorted({round((i + 1) * length / count) - 1 for i in range(count)})


def build_llama_tool(peer, folder):
    source, build = peer / "source/vendor/llama.cpp", peer / "build"
    tool = pathlib.Path(folder) / "llama_logits"
    libraries = [build / "src/libllama.a"]
    libraries += [build / "ggml/src" / f"lib{n}.a" for n in ("ggml", "ggml-cpu", "ggml-base")]
    command = ["g++", "-std=c++17", "-O1", str(ROOT / "tools/llama_logits.cc"), "-o", str(tool)]
    command += [f"-I{source}/include", f"-I{source}/ggml/include"]
    subprocess.run(command + [str(lib) for lib in libraries] + ["-lgomp", "-lpthread", "-ldl"], check=True)
    return tool


def run_llama_tool(tool, model, threads, lines):
    text = "".join(line + "\n" for line in lines)
    return subprocess.run(
        [str(tool), str(model), str(threads)], input=text.encode(), stdout=subprocess.PIPE, check=True
    ).stdout


def log_softmax(np, logits):
    logits = logits.astype(np.float64)
    top = logits.max(-1, keepdims=True)
    return logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))


def kl_pair(np, reference, other):
    """(whole KL, KL with all but the TOP likeliest in one bucket), of logits at one position."""
    p, q = log_softmax(np, reference), log_softmax(np, other)
    terms = np.exp(p) * (p - q)
    order = np.argsort(-reference, kind="stable")
    top, rest = order[:TOP], order[TOP:]
    p_rest, q_rest = np.exp(p[rest]).sum(), np.exp(q[rest]).sum()
    return terms.sum(), terms[top].sum() + p_rest * np.log(p_rest / q_rest)


def greedy(torch, model, ids):
    """GREEDY_TOKENS greedy tokens (end-of-text is a token like others), each with its runner-up."""
    steps, cache, feed = [], None, torch.tensor([ids])
    for _ in range(GREEDY_TOKENS):
        out = model(feed, past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        values, tokens = out.logits[0, -1].topk(2)
        steps.append((int(tokens[0]), int(tokens[1]), float(values[0] - values[1])))
        feed = tokens[:1][None]
    return steps


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=pathlib.Path, default=CACHE / "models" / MODEL_NAME)
    parser.add_argument("--peer", type=pathlib.Path, default=CACHE / "peers/llama_cpp-0.3.36")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "tests/golden")
    arguments = parser.parse_args()

    import numpy as np
    import tokenizers
    import torch
    import transformers

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    tokenizer = build_tokenizer(arguments.model)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        str(arguments.model.parent),
        gguf_file=arguments.model.name,
        dtype=torch.float32,
        attn_implementation="eager",
    ).eval()
    config = model.config
    assert config.rope_parameters["rope_theta"] == 100000.0, config.rope_parameters
    assert config.num_key_value_heads == 3 and config.num_attention_heads == 9, config
    assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr(), "head is tied"
    assert all(p.dtype == torch.float32 for p in model.parameters())

    prompts = [(name, text, tokenizer.encode(text, add_special_tokens=False).ids) for name, text in PROMPTS]
    with tempfile.TemporaryDirectory() as folder:
        tool = build_llama_tool(arguments.peer, folder)
        escaped = [t.replace("\\", "\\\\").replace("\n", "\\n") for _, t, _ in prompts]
        raw = np.frombuffer(
            run_llama_tool(tool, arguments.model, arguments.threads, ["text " + t for t in escaped]), "<i4"
        )
        for name, _, ids in prompts:
            count, raw = int(raw[0]), raw[1:]
            theirs, raw = raw[:count].tolist(), raw[count:]
            assert theirs == ids, f"{name}: llama.cpp tokenizes it to {theirs}, tokenizers to {ids}"
        requests = [
            " ".join(map(str, ids)) + " | " + " ".join(map(str, chosen_positions(len(ids))))
            for _, _, ids in prompts
        ]
        llama = np.frombuffer(run_llama_tool(tool, arguments.model, arguments.threads, requests), "<f4")
        llama = llama.reshape(-1, config.vocab_size)

    entries, blob, whole_sum, bucket_sum, row = [], bytearray(), 0.0, 0.0, 0
    for name, text, ids in prompts:
        positions = chosen_positions(len(ids))
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0].numpy()
            steps = greedy(torch, model, ids)
        bucketed, errors = [], []
        for position in positions:
            reference = logits[position]
            order = np.argsort(-reference, kind="stable")
            top, rest = order[:TOP], order[TOP:]
            peak = reference[rest].astype(np.float64).max()
            rest_lse = peak + np.log(np.exp(reference[rest].astype(np.float64) - peak).sum())
            blob += top.astype("<u2").tobytes() + reference[top].astype("<f4").tobytes()
            blob += np.float32(rest_lse).astype("<f4").tobytes()
            whole, bucket = kl_pair(np, reference, llama[row])
            whole_sum, bucket_sum = whole_sum + whole, bucket_sum + bucket
            bucketed.append(bucket)
            gap = (llama[row] - reference)[top[:16]]
            errors.append(float(np.abs(gap - gap[0]).max()))
            row += 1
        entries.append(
            {
                "name": name,
                "text": text,
                "ids": ids,
                "positions": positions,
                "greedy_ids": [s[0] for s in steps],
                "greedy_runner_up_ids": [s[1] for s in steps],
                "greedy_gaps": [round(s[2], 6) for s in steps],
                "llama_cpp_kl_mean": float(f"{np.mean(bucketed):.6g}"),
                "llama_cpp_kl_max": float(f"{np.max(bucketed):.6g}"),
            }
        )
        print(f"{name:14s} {len(ids):4d} tokens  llama.cpp KL mean {np.mean(bucketed):.2e}"
              f" max {np.max(bucketed):.2e}  gap error max {max(errors):.3f}"
              f"  smallest top-2 gap {min(s[2] for s in steps):.4f}", flush=True)

    document = {
        "format": 1,
        "model": MODEL_NAME,
        "model_sha256": hashlib.sha256(arguments.model.read_bytes()).hexdigest(),
        "vocabulary": config.vocab_size,
        "top": TOP,
        "made": {
            "by": "tools/make_golden.py",
            "on": datetime.date.today().isoformat(),
            "reference": f"transformers {transformers.__version__}, torch {torch.__version__}, float32",
            "tokenizer": f"tokenizers {tokenizers.__version__}, equal to llama.cpp's on every prompt",
            "llama_cpp": "llama-cpp-python 0.3.36 sdist, GGML_NATIVE on " + cpu_flags(),
            "llama_cpp_kl_mean": float(f"{bucket_sum / row:.6g}"),
            "bucket_ratio": round(bucket_sum / whole_sum, 4),
            "measure": "KL(reference || other) in nats over the top tokens and one bucket for the rest;"
            " means are over positions",
        },
        "prompts": entries,
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "smollm2.bin").write_bytes(bytes(blob))
    lines = json.dumps({k: v for k, v in document.items() if k != "prompts"}, indent=1)[:-2]
    body = ",\n".join(" " + json.dumps(e, ensure_ascii=True) for e in entries)
    (arguments.out / "smollm2.json").write_text(f'{lines},\n "prompts": [\n{body}\n ]\n}}\n')
    print(f"{len(entries)} prompts, {row} positions, llama.cpp mean KL {bucket_sum / row:.3e},"
          f" bucketed/whole {bucket_sum / whole_sum:.4f}, {len(blob) / 1e6:.2f} MB")
    return 0


def cpu_flags():
    """The instruction sets that decide which kernels llama.cpp runs (its sums round differently)."""
    known = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")
    try:
        flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    except OSError:
        flags = []
    return " ".join([platform.machine()] + [f for f in known if f in flags])


if __name__ == "__main__":
    sys.exit(main())
