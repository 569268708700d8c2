#!/usr/bin/env python3
"""Makes tests/data/models/llama3_shards: the tiny Llama of tests/data/models/llama3 as transformers saves a model
in shards, with the keys of config.json as that version spells them, and first_values.json: what torch reads from
it, tensor by tensor (shape, the first numbers, the sum of all). src/formats/hf/committed_models_test.cc holds the
loader to it.

Needs: torch, transformers. `./dev test` needs neither.
Run:   python3 tools/make_sharded_golden.py
"""

import json
import pathlib

import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE = ROOT / "tests/data/models/llama3"
TARGET = ROOT / "tests/data/models/llama3_shards"


def main():
    model = transformers.AutoModelForCausalLM.from_pretrained(SOURCE, dtype=torch.bfloat16)
    model.save_pretrained(TARGET, max_shard_size="20KB")
    (TARGET / "generation_config.json").unlink(missing_ok=True)
    values = {}
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight":  # tied: not saved
            continue
        numbers = tensor.to(torch.float64).flatten()
        values[name] = {"shape": list(tensor.shape), "first": numbers[:4].tolist(), "sum": numbers.sum().item()}
    (TARGET / "first_values.json").write_text(json.dumps(values, indent=1) + "\n")


if __name__ == "__main__":
    main()
