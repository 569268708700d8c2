"""hangar generate: text, JSON, flags, Ctrl-C."""
import json
import signal
import subprocess
import time

from harness import check, check_equal

PROMPT = "The capital of France is"
CHAT_PROMPT = "Which city is the capital of France? Answer with the city's name."


def test_generate_text(context):
    first = context.expect(0, "generate", PROMPT, "--max-tokens", "12").stdout
    check(len(first) > 5 and not first.endswith(b"\n\n"), f"text: {first}")
    check_equal(context.expect(0, "generate", PROMPT, "--max-tokens", "12").stdout, first,
                "the second greedy run")
    for arguments, stdin in ((["--prompt", PROMPT], ""), (["--prompt-file", "-"], PROMPT), ([], PROMPT)):
        got = context.expect(0, "generate", *arguments, "--max-tokens", "12", stdin=stdin).stdout
        check_equal(got, first, f"prompt by {arguments or 'standard input'}")
    ids = context.expect(0, "tokenize", "--json", stdin=PROMPT).stdout
    got = context.expect(0, "generate", "--prompt-ids", json.dumps(json.loads(ids)["ids"]),
                         "--max-tokens", "12").stdout
    check_equal(got, first, "prompt by ids")
    echoed = context.expect(0, "generate", PROMPT, "--max-tokens", "12", "--echo").stdout
    check_equal(echoed, PROMPT.encode() + first, "--echo")
    done = context.expect(0, "generate", PROMPT, "--max-tokens", "4", "--timings")
    check(b"tokens/s" in done.stderr, f"--timings: {done.stderr}")


def test_generate_json(context):
    done = context.expect(0, "generate", PROMPT, "--max-tokens", "8", "--json", "--logprobs", "3",
                          "--ignore-eos")
    out = json.loads(done.stdout)
    check_equal(len(out["ids"]), 8, "ids")
    check_equal(out["finish_reason"], "length", "finish_reason")
    check_equal(out["usage"]["completion_tokens"], 8, "usage")
    check_equal(out["usage"]["prompt_tokens"], len(out["prompt_ids"]), "prompt tokens")
    for token, wanted in zip(out["tokens"], out["ids"]):
        check_equal(token["id"], wanted, "id of a token")
        check_equal(len(token["top"]), 3, "alternatives")
        # Greedy: the chosen one is the likeliest.
        check_equal(token["top"][0]["id"], wanted, "likeliest")
        check(token["logprob"] <= 0 and abs(token["top"][0]["logprob"] - token["logprob"]) < 1e-5,
              f"log-probability {token}")
        check(token["top"][0]["logprob"] >= token["top"][1]["logprob"], "order")
    back = context.expect(0, "detokenize", stdin=json.dumps(out["ids"])).stdout.decode()
    check_equal(back, out["text"], "ids and text")
    check(out["timings"]["decode_tokens_per_s"] > 0 and out["timings"]["load_ms"] > 0, "timings")

    out = json.loads(context.expect(0, "generate", PROMPT, "--max-tokens", "2", "--json", "--echo",
                                    "--logprobs", "0").stdout)
    check_equal([t["id"] for t in out["prompt_tokens"]], out["prompt_ids"], "echoed ids")
    check(out["prompt_tokens"][0]["logprob"] is None, "the first prompt token has none")
    check(all(t["logprob"] <= 0 for t in out["prompt_tokens"][1:]), "prompt log-probabilities")


def test_generate_sampling_and_stop(context):
    def text(*flags):
        return context.expect(0, "generate", PROMPT, "--max-tokens", "16", *flags).stdout

    hot = ["--temperature", "1.5"]
    check_equal(text(*hot, "--seed", "7"), text(*hot, "--seed", "7"), "same seed")
    check(text(*hot, "--seed", "7") != text(*hot, "--seed", "8"), "other seeds, same text")
    check_equal(text(*hot, "--top-k", "1"), text(), "top-k 1 is greedy")
    whole = text().decode()
    stop = whole[4:7]
    check_equal(text("--stop", stop).decode(), whole[:whole.index(stop)], "text before the stop")
    chat = context.expect(0, "generate", "--chat", CHAT_PROMPT, "--max-tokens", "40").stdout
    check(b"Paris" in chat, f"--chat: {chat}")


def test_generate_ref_backend_agrees(context):
    flags = ["--max-tokens", "3", "--ignore-eos"]
    fast = context.expect(0, "generate", PROMPT, *flags).stdout
    plain = context.expect(0, "generate", PROMPT, *flags, "--backend", "ref").stdout
    check_equal(plain, fast, "text of the reference backend")


def test_generate_limits(context):
    # Said or not, an answer ends where the context does.
    for flags in ([], ["--max-tokens", "100"]):
        out = json.loads(context.expect(0, "generate", PROMPT, "--max-context", "32", "--ignore-eos",
                                        "--json", *flags).stdout)
        total = out["usage"]["prompt_tokens"] + out["usage"]["completion_tokens"]
        check_equal((total, out["finish_reason"]), (32, "length"), "tokens in a context of 32")
    done = context.expect(2, "generate", PROMPT * 10, "--max-context", "32")
    check(b"32" in done.stderr, f"no numbers: {done.stderr}")
    context.expect(2, "generate", "--prompt-ids", "[999999]")


def test_generate_interrupted(context):
    process = context.start("generate", PROMPT, "--max-tokens", "4000", "--ignore-eos")
    check(process.stdout.read(1), "no text")
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    try:
        process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    check_equal(process.returncode, 130, "exit code after Ctrl-C")
    check(time.monotonic() - begin < 2, "Ctrl-C took too long")
