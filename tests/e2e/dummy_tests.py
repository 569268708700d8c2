"""--load dummy: models of a true shape with weights that are made up; hangar bench engine."""
import json
import os

from harness import check, check_equal

SHAPE = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "torch_dtype": "bfloat16",
    "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 20000, "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False, "eos_token_id": 2,
}


def shape_folder(context, **changes):
    folder = os.path.join(context.scratch, "Tiny-Shape")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump({**SHAPE, **changes}, file)
    return folder


def test_generate_needs_no_weights(context):
    folder = shape_folder(context)
    answers = {}
    for load in ("dummy", "dummy:uniform", "dummy:normal"):
        done = context.expect(0, "generate", "--load", load, "--model", folder, "--prompt-ids", "[5, 300, 4000]",
                              "--max-tokens", "12", "--temperature", "0", "--ignore-eos", "--json")
        answers[load] = json.loads(done.stdout)["ids"]
        check_equal(len(answers[load]), 12, "tokens")
        check(b"made up" in done.stderr and b"stand-in" in done.stderr, f"the log: {done.stderr}")
    check_equal(answers["dummy"], answers["dummy:uniform"], "uniform is what dummy means")
    check(answers["dummy"] != answers["dummy:normal"], "normal is something else")
    # The file itself is as good as its folder.
    done = context.expect(0, "generate", "--load", "dummy", "--model", os.path.join(folder, "config.json"), "--max-tokens",
                          "4", "the cat")
    check(done.stdout.strip(), "an answer")


def test_what_cannot_be_made_up_is_said(context):
    done = context.expect(2, "generate", "--load", "dummy", "hello")
    check(b"--model" in done.stderr, f"no model: {done.stderr}")
    done = context.expect(2, "generate", "--load", "dummy", "--model", context.model, "hello")
    check(b"config.json" in done.stderr, f"a GGUF file: {done.stderr}")
    done = context.expect(2, "generate", "--load", "random", "--model", context.model, "hello")
    check(b"dummy:normal" in done.stderr, f"another word: {done.stderr}")
    folder = shape_folder(context, torch_dtype="int8")
    done = context.expect(4, "generate", "--load", "dummy", "--model", folder, "hello")
    check(b"int8" in done.stderr, f"another type: {done.stderr}")
    done = context.expect(3, "generate", "--load", "dummy", "--model", context.scratch, "hello")
    check(b"config.json is missing" in done.stderr, f"no config: {done.stderr}")


def test_a_dummy_is_served_and_measured(context):
    folder = shape_folder(context)
    with context.server("--load", "dummy:normal", "--model", folder) as server:
        log = server.output()
        check("made up (normal)" in log and "stand-in of 20000 tokens" in log, f"the log: {log}")
        check_equal(server.get("/v1/models").json()["data"][0]["id"], "tiny-shape", "the model's name")
        for endpoint in ("chat", "completions"):
            done = context.expect(0, "bench", "serve", "--url", server.url, "-c", "3", "-n", "9", "--prompt-tokens",
                                  "fixed:40", "--output-tokens", "fixed:16", "--endpoint", endpoint, "--json", "-")
            result = json.loads(done.stdout)
            check_equal((result["requests"]["done"], result["requests"]["failed"]), (9, 0), endpoint)
            check_equal(result["output_tokens"], 9 * 16, f"{endpoint}: every answer has its length")
            lengths = result["prompt_length"]
            check_equal((lengths["min"], lengths["max"]), (40, 40), f"{endpoint}: prompts have theirs")
        answer = server.post("/v1/completions", {"model": "tiny-shape", "prompt": [7, 8, 9], "max_tokens": 5,
                                                 "ignore_eos": True}).json()
        check_equal(answer["usage"]["prompt_tokens"], 3, "a prompt of token ids")
        check_equal(answer["usage"]["completion_tokens"], 5, "its answer")
        check(answer["choices"][0]["text"], "a text")


def test_bench_engine_measures_a_dummy(context):
    folder = shape_folder(context)
    figures = os.path.join(context.scratch, "engine.json")
    done = context.expect(0, "bench", "engine", "--load", "dummy", "--model", folder, "-b", "1,4", "--requests", "12",
                          "-c", "5", "--prefill", "3", "--first-token", "--input-tokens", "30", "--output-tokens", "400",
                          "--repeats", "2", "--bandwidth", "100", "--flops", "1", "--json", figures)
    text = done.stdout.decode()
    check_equal(done.stderr, b"", "nothing but figures where there is no terminal")
    with open(figures, encoding="utf-8") as file:
        result = json.load(file)
    names = ["decode x1 (30 in, 400 out)", "decode x4 (30 in, 400 out)", "12 requests (30 in, 400 out), 5 at a time",
             "prefill 3 x 30", "first token (30 in)"]
    check_equal([test["test"] for test in result["tests"]], names, "tests")
    for test in result["tests"]:
        check(test["test"] in text, f"the table: {text}")
        check(len(test["runs"]) == 2 and 0 < min(test["runs"]) <= test["median"] <= max(test["runs"]), f"{test}")
        check(0 < test["share"] < 1, f"the bound: {test}")
        steps = test["steps"]
        check(steps["count"] > 0 and abs(steps["busy_us"] + steps["gaps_us"] - steps["us"]) < 1e-3, f"steps: {steps}")
        check("peer" not in test, "another shape's peer")
    check_equal(result["tests"][2]["steps"]["output_tokens"], 12 * 400, "the load's tokens")
    check_equal([test.get("at_once") for test in result["tests"]], [None, None, 5, None, None], "under way")
    check_equal(result["machine"], {"bytes_per_s": 1e11, "operations_per_s": 1e12}, "the machine")
    check(0 < result["load_s"] < result["process_start_to_first_token_s"] < 60, f"start: {result}")
    check("weights made up (uniform)" in result["about"]["weights"], f"about: {result['about']}")

    # Less room than the tests need: what does not fit is skipped, with the reason.
    done = context.expect(0, "bench", "engine", "--load", "dummy", "--model", folder, "-b", "2,8", "--max-running", "4",
                          "--input-tokens", "20", "--output-tokens", "400", "--json", "-")
    tests = json.loads(done.stdout)["tests"]
    check("median" in tests[0] and "4 sequences" in tests[1]["skipped"], f"tests: {tests}")
    context.expect(2, "bench", "engine", "--suite", "huge")
    done = context.expect(2, "bench", "engine", "--load", "dummy", "--model", folder, "-b", "2", "-c", "4")
    check(b"--requests" in done.stderr, f"no load to be so many at a time: {done.stderr}")


def test_bench_engine_and_model_run_a_real_model(context):
    done = context.expect(0, "bench", "engine", "-b", "2", "--input-tokens", "16", "--output-tokens", "8", "--json", "-")
    result = json.loads(done.stdout)
    check(result["tests"][0]["median"] > 0 and result["tests"][0]["bound"] is None, f"{result['tests']}")
    folder = shape_folder(context)
    done = context.expect(0, "bench", "model", "--load", "dummy", "--model", folder, "-p", "32", "-n", "4", "--repeats",
                          "1", "--json")
    check_equal([row["test"] for row in json.loads(done.stdout)], ["pp32", "tg4"], "tests")
    done = context.expect(0, "bench", "batching", "--load", "dummy", "--model", folder, "-c", "2", "-n", "4",
                          "--policies", "continuous", "--prompt-tokens", "20", "--output-tokens", "8", "--json", "-")
    check_equal(json.loads(done.stdout)["policies"][0]["requests"]["done"], 4, "requests")
