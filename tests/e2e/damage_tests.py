"""Damaged model files: an error and an exit code, never a signal."""
import os
import time

from harness import check

STEPS = 50


def test_serve_refuses_a_file_cut_anywhere(context):
    size = os.path.getsize(context.model)
    cut = os.path.join(context.scratch, "cut.gguf")
    with open(context.model, "rb") as source:
        whole = source.read()
    slowest = 0.0
    # Longest first: each next one is the same file made shorter.
    with open(cut, "wb") as file:
        file.write(whole)
    for step in reversed(range(STEPS)):
        os.truncate(cut, size * step // STEPS)
        begin = time.monotonic()
        done = context.run("serve", "--port", "0", "--model", cut, timeout=30)
        slowest = max(slowest, time.monotonic() - begin)
        check(done.returncode > 0, f"cut to {step}/{STEPS}: exit {done.returncode}")
        text = done.stderr.decode(errors="replace")
        check("hangar: error: " in text and "cut.gguf" in text, f"cut to {step}/{STEPS}: {text}")
    return f"{STEPS} lengths, slowest {slowest:.2f} s"


def test_damaged_headers(context):
    with open(context.model, "rb") as source:
        head = source.read(1 << 20)
    bad = os.path.join(context.scratch, "bad.gguf")
    cases = {
        "magic": b"GGML" + head[4:],
        "version": head[:4] + (99).to_bytes(4, "little") + head[8:],
        "tensor count": head[:8] + (1 << 62).to_bytes(8, "little") + head[16:],
        "metadata count": head[:16] + (1 << 62).to_bytes(8, "little") + head[24:],
        "key length": head[:24] + (1 << 63).to_bytes(8, "little") + head[32:],
        "zeros": head[:64] + bytes(4096),
        "empty": b"",
    }
    for name, content in cases.items():
        with open(bad, "wb") as file:
            file.write(content)
        for command in (["serve", "--port", "0", "--model", bad], ["models", "inspect", bad],
                        ["tokenize", "--model", bad]):
            done = context.run(*command, timeout=30)
            check(done.returncode > 0, f"{name}, {command[0]}: exit {done.returncode}")
            check(b"bad.gguf" in done.stderr, f"{name}, {command[0]}: {done.stderr}")
    for command in (["serve", "--model", context.scratch], ["tokenize", "--model", "/dev/null"]):
        done = context.run(*command)
        check(done.returncode > 0 and b"hangar: error" in done.stderr, f"{command}: {done}")
