"""`hangar eval ppl` on the default model."""
import json
import os
import signal
import time

from harness import Terminal, check, check_equal

# The licence beside this program: a text that does not change.
TEXT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "LICENSE")
# llama-perplexity -m SmolLM2-135M-Instruct.Q4_1.gguf -f LICENSE -c 256: 8 chunks.
LLAMA_CPP = {"ppl": 17.7438, "stderr": 1.65712, "windows": 8}


def evaluate(context, *arguments, **options):
    done = context.expect(0, "eval", "ppl", "--json", *arguments, **options)
    return json.loads(done.stdout)


def test_windows_give_what_llama_cpp_gives(context):
    got = evaluate(context, "--file", TEXT, "--context", "256")
    check_equal(got["windows"], LLAMA_CPP["windows"], "windows")
    check_equal(got["scored_tokens"], LLAMA_CPP["windows"] * 127, "scored tokens")
    off = got["ppl"] / LLAMA_CPP["ppl"] - 1
    # A thousand tokens: the rounding of 8-bit activations does not average out as over a book.
    check(abs(off) < 0.015, f"perplexity {got['ppl']}, llama.cpp's {LLAMA_CPP['ppl']}")
    check(abs(got["stderr"] / LLAMA_CPP["stderr"] - 1) < 0.03, f"standard error {got['stderr']}")
    check_equal(got["text_bytes"], os.path.getsize(TEXT), "text_bytes")
    check(got["seconds"] > 0 and got["tokens_per_s"] > 0 and not got["interrupted"], f"{got}")
    return f"{got['ppl']:.4f}, llama.cpp {LLAMA_CPP['ppl']} ({off:+.2%})"


def test_batches_threads_and_input_change_nothing(context):
    common = ("--context", "64", "--limit", "5")
    one = evaluate(context, "--file", TEXT, "--batch", "1", "--threads", "1", *common)
    check_equal(one["windows"], 5, "--limit")
    many = evaluate(context, "--file", TEXT, "--batch", "4", *common)
    with open(TEXT, "rb") as file:
        piped = evaluate(context, "--file", "-", *common, stdin=file.read())
    for other in (many, piped):
        check_equal((other["ppl"], other["stderr"]), (one["ppl"], one["stderr"]), "perplexity")


def test_strided(context):
    with open(TEXT, "rb") as file:
        text = file.read(3000)
    options = ("--file", "-", "--method", "strided", "--context", "128")
    overlapping = evaluate(context, *options, "--stride", "32", stdin=text)
    apart = evaluate(context, *options, "--stride", "128", stdin=text)
    tokens = overlapping["tokens"]
    check_equal(apart["counted_tokens"], tokens - apart["windows"], "tokens counted, side by side")
    check(overlapping["windows"] > 3 * apart["windows"], "windows overlap")
    # More context for each token: better predicted.
    check(overlapping["ppl"] < apart["ppl"], f"{overlapping['ppl']} and {apart['ppl']}")
    check_equal(evaluate(context, *options, stdin=text)["stride"], 64, "the default stride")


def test_text_output_and_broken_utf8(context):
    text = b"caf\xe9 \xff\xfe and then some plain words. " * 20
    done = context.expect(0, "eval", "ppl", "--file", "-", "--context", "64", stdin=text)
    lines = done.stdout.decode().splitlines()
    check_equal([line.split()[0] for line in lines], ["perplexity", "counted", "text", "speed"],
                "the lines")
    check("+-" in lines[0] and f"{len(text)} bytes" in lines[2], f"{lines}")


def test_errors(context):
    check(b"Examples:" in context.expect(0, "eval", "ppl", "--help").stdout, "--help")
    done = context.expect(2, "eval", "ppl", "--file", "-", stdin="too short")
    check(b"512" in done.stderr and b"tokens" in done.stderr, f"short text: {done.stderr}")
    done = context.expect(2, "eval", "ppl", "--file", "-", "--method", "strided", stdin="")
    check(b"at least 2" in done.stderr, f"no text: {done.stderr}")
    context.expect(3, "eval", "ppl", "--file", os.path.join(context.scratch, "absent.txt"))
    context.expect(3, "eval", "ppl", "--file", TEXT, "--model", "no-such-model")
    context.expect(2, "eval", "ppl")
    context.expect(2, "eval", "ppl", "--file", TEXT, "--method", "guess")
    context.expect(2, "eval", "ppl", "--file", TEXT, "--stride", "8")
    context.expect(2, "eval", "ppl", "--file", TEXT, "--method", "strided", "--stride", "513")
    context.expect(2, "eval", "ppl", "--file", TEXT, "--context", "2")
    words = "a word " * 20000
    done = context.expect(2, "eval", "ppl", "--file", "-", "--context", "8193", stdin=words)
    check(b"8192" in done.stderr, f"past the model's context: {done.stderr}")


def test_interrupt_shows_what_was_counted(context):
    long = os.path.join(context.scratch, "long.txt")
    with open(TEXT, encoding="utf-8") as file, open(long, "w", encoding="utf-8") as out:
        out.write(file.read() * 60)
    terminal = Terminal(context, "eval", "ppl", "--file", long, "--context", "64", "--batch", "1")
    try:
        terminal.wait_for(b" windows", timeout=120)  # the progress line, after the first window
        begin = time.monotonic()
        terminal.type(b"\x03")
        shown = terminal.wait_for(b"interrupted after ", timeout=30)
        code = terminal.wait()
        took = time.monotonic() - begin
    finally:
        terminal.close()
    check_equal(code, 130, "exit code")
    check(took < 5, f"Ctrl-C took {took:.1f} s")
    result = shown[shown.rindex(b"perplexity  "):]
    check(b"+-" in result and b"windows of 64" in result, f"{result}")


def test_interrupt_without_a_terminal(context):
    with open(TEXT, "rb") as file:
        text = file.read() * 60
    path = os.path.join(context.scratch, "long.txt")
    with open(path, "wb") as file:
        file.write(text)
    process = context.start("eval", "ppl", "--json", "--file", path, "--context", "32", "--batch",
                            "1")
    line = process.stderr.readline()  # the first progress line, after ten seconds
    check(b"perplexity" in line and b"%" in line, f"progress line: {line}")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    check_equal(process.returncode, 130, "exit code")
    got = json.loads(out)
    check(got["interrupted"] and 0 < got["windows"] < got["windows_asked"], f"{got}")
    check(got["ppl"] > 1 and got["stderr"] > 0, f"{got}")
    check(b"interrupted after" in err, f"{err}")
