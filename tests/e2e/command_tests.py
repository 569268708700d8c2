"""Commands that load no weights, and what all commands have in common."""
import json
import os
import shutil
import subprocess

from harness import check, check_equal

TEXT = "Hello, wörld! 你好 🙂\n\tdef f(x):\n  return x**2  # done\r\n"


def test_help_version_and_exit_codes(context):
    for arguments in ([], ["serve"], ["chat"], ["generate"], ["models"], ["models", "inspect"],
                      ["tokenize"], ["detokenize"], ["render"], ["devices"], ["completion"]):
        text = context.expect(0, *arguments, "--help").stdout.decode()
        check("Examples:" in text, f"{arguments}: --help without examples")
    check(context.expect(0, "--version").stdout.startswith(b"hangar "), "--version")
    check(b"unknown command" in context.expect(2, "srve").stderr, "mistyped command")
    done = context.expect(2, "serve", "--prot", "1")
    check(b"hangar: error: " in done.stderr and b"--port" in done.stderr, "no nearest flag")
    context.expect(2)
    context.expect(2, "serve", "--port", "hundred")
    context.expect(2, "serve", "--backend", "abacus")
    context.expect(2, "generate", "x", "--temperature", "-1")
    done = context.expect(3, "tokenize", "--model", "no-such-model")
    check(b"hint: " in done.stderr and b"smollm2" in done.stderr, "no word of what is here")


def test_devices_by_a_driver_with_two_cards(context):
    """The driver's library is tests/fakes/fake_nvml.cc, which the build puts beside the program."""
    library = os.path.join(os.path.dirname(context.hangar), "lib", "libfake_nvml.so")

    def devices(fault, *flags):
        env = {"HANGAR_NVML": library, "HANGAR_FAKE_NVML": fault}
        return context.expect(0, "devices", *flags, env=env).stdout.decode()

    text = devices("")
    check("GPU: 2 cards, driver 580.82.07 (CUDA 13.0)" in text, f"cards: {text}")
    check("card 0 is held back: power limit, heat" in text, f"clocks: {text}")
    found = json.loads(devices("", "--json"))
    check_equal(found["cards"][0]["memory_free_bytes"], 130754820096, "free memory")
    check_equal(found["cards"][1]["nvlinks"], 6, "links of the second card")
    check_equal(found["problem"], None, "a problem of none")
    check(bool(found["library"]) != bool(found["library_problem"]), f"the library: {found}")
    named = found["library"] or found["library_problem"]
    check(named in text, f"the library is not told of: {text}")
    check(found["cpu"]["threads"] >= 1, f"processors: {found['cpu']}")
    for fault, words in [("not_loaded", "kernel module is not loaded"), ("no_permission", "No permission"),
                         ("old_driver", "too old"), ("lost", "card 1 cannot be used: the card is lost")]:
        check(words in devices(fault), f"{fault}: {devices(fault)}")


def test_devices_without_a_driver(context):
    absent = os.path.join(context.scratch, "libnvidia-ml.so.1")
    text = context.expect(0, "devices", env={"HANGAR_NVML": absent}).stdout.decode()
    check(text.startswith("CPU: ") and "\nGPU: none. " in text, f"no reason: {text}")
    found = json.loads(context.expect(0, "devices", "--json", env={"HANGAR_NVML": absent}).stdout)
    check(found["cards"] == [] and found["problem"], f"json: {found}")


def test_settings_precedence(context):
    config = os.path.join(context.scratch, "hangar.toml")
    with open(config, "w", encoding="utf-8") as file:
        file.write("port = 2002\nthreads = 2\n")

    def shown(*flags, **env):
        text = context.expect(0, "serve", "--print-config", *flags, env=env).stdout.decode()
        rows = (line.partition("#") for line in text.splitlines())
        return {row[0].split("=")[0].strip(): (row[0].split("=", 1)[1].strip(), row[2].strip())
                for row in rows}

    env = {"HANGAR_PORT": "3003", "HANGAR_THREADS": "3", "HANGAR_MAX_CONTEXT": "333"}
    got = shown("--config", config, "--port", "1001", **env)
    check_equal(got["port"], ("1001", "flag --port"), "port")
    check_equal(got["threads"], ("2", f"{config}, line 2"), "threads")
    check_equal(got["max_context"], ("333", "environment HANGAR_MAX_CONTEXT"), "max_context")
    check_equal(got["host"], ('"127.0.0.1"', "default"), "host")
    got = shown(HANGAR_CONFIG=config)
    check_equal(got["port"][0], "2002", "port by HANGAR_CONFIG")

    with open(config, "w", encoding="utf-8") as file:
        file.write("prot = 1\n")
    done = context.expect(2, "serve", "--config", config)
    check(b"line 1" in done.stderr and b"'port'" in done.stderr, f"unknown key: {done.stderr}")
    done = context.expect(0, "serve", "--print-config", env={"HANGAR_PROT": "1"})
    check(b"HANGAR_PORT" in done.stderr, f"unknown variable: {done.stderr}")
    context.expect(2, "serve", "--print-config", env={"HANGAR_PORT": "70000"})
    context.expect(3, "serve", "--config", os.path.join(context.scratch, "absent.toml"))


def test_tokenize_and_back(context):
    line = context.expect(0, "tokenize", stdin=TEXT).stdout
    check(line.endswith(b"\n") and line.count(b"\n") == 1, "ids are not one line")
    ids = [int(word) for word in line.split()]
    check(len(ids) > 10, "too few ids")
    as_json = json.loads(context.expect(0, "tokenize", "--json", stdin=TEXT).stdout)
    check_equal(as_json, {"ids": ids}, "--json")
    for written in (line, json.dumps(as_json), json.dumps(ids)):
        back = context.expect(0, "detokenize", stdin=written).stdout
        check_equal(back.decode(), TEXT, "text and back")
    back = json.loads(context.expect(0, "detokenize", "--json", stdin=line).stdout)
    check_equal(back, {"text": TEXT}, "detokenize --json")
    check_equal(context.expect(0, "tokenize", stdin="").stdout, b"\n", "no text")

    control = context.expect(0, "tokenize", stdin="<|im_end|>").stdout.split()
    check_equal(len(control), 1, "ids of a control token")
    plain = context.expect(0, "tokenize", "--no-special", stdin="<|im_end|>").stdout.split()
    check(len(plain) > 1, "--no-special still makes one token")
    check_equal(context.expect(0, "detokenize", "--skip-special", stdin=control[0]).stdout, b"",
                "--skip-special")
    context.expect(2, "detokenize", stdin="1 two 3")
    context.expect(2, "detokenize", stdin="49152000")


def test_render(context):
    ask = {"messages": [{"role": "user", "content": "Hi <there>"}], "add_generation_prompt": True}
    text = context.expect(0, "render", stdin=json.dumps(ask)).stdout.decode()
    check(text.endswith("<|im_start|>user\nHi <there><|im_end|>\n<|im_start|>assistant\n"), text)

    template = os.path.join(context.scratch, "t.jinja")
    with open(template, "w", encoding="utf-8") as file:
        file.write("{% for m in messages %}[{{ m.content }}]{% endfor %}"
                   "{{ strftime_now('%Y-%m-%d') }}{{ bos_token }}")
    given = os.path.join(context.scratch, "context.json")
    for now in (1721995200, "2024-07-26T12:00:00Z"):
        with open(given, "w", encoding="utf-8") as file:
            json.dump({**ask, "now": now}, file)
        text = context.expect(0, "render", "--template", template, "--input", given).stdout
        check_equal(text, b"[Hi <there>]2024-07-26", "--template with a fixed clock")
    text = context.expect(0, "render", "--template", template, "--input", given, "--model",
                          context.model).stdout
    check_equal(text, b"[Hi <there>]2024-07-26<|im_start|>", "bos_token of --model")

    with open(template, "w", encoding="utf-8") as file:
        file.write("fine\n{% for %}")
    done = context.run("render", "--template", template, stdin="{}")
    check(done.returncode in (4, 5) and b"2" in done.stderr, f"broken template: {done}")
    context.expect(2, "render", stdin="not json")
    context.expect(2, "render", stdin="[1]")
    context.expect(2, "render", stdin=json.dumps({**ask, "now": "yesterday"}))


def test_models(context):
    text = context.expect(0, "models").stdout.decode()
    check("smollm2-135m-instruct" in text and "llama" in text and "Q4_1" in text, text)
    one, = json.loads(context.expect(0, "models", "--json").stdout)
    check_equal(one["id"], "smollm2-135m-instruct", "id")
    check_equal(one["parameters"], 134515008, "parameters")
    check_equal(one["context_tokens"], 8192, "context")
    check_equal(one["license"], "apache-2.0", "licence")
    check(4.5 < one["bits_per_parameter"] < 8.5, f"bits {one['bits_per_parameter']}")
    check_equal(one["memory"]["kv_bytes"], 2 * 30 * 3 * 64 * 2 * 8192, "bytes of KV")
    short, = json.loads(context.expect(0, "models", "--json", "--max-context", "1024").stdout)
    check_equal(short["memory"]["kv_bytes"], one["memory"]["kv_bytes"] // 8, "KV of 1024 tokens")

    # A folder by environment; a file that is no model does not hide the others.
    more = os.path.join(context.scratch, "more")
    os.mkdir(more)
    with open(os.path.join(more, "Broken-Q8_0.gguf"), "wb") as file:
        file.write(b"GGUF not really")
    env = {"HANGAR_MODELS_DIR": more}
    both = json.loads(context.expect(0, "models", "--json", env=env).stdout)
    check_equal([m["id"] for m in both], ["smollm2-135m-instruct", "broken"], "ids")
    check("error" in both[1] and "Broken" in both[1]["error"], f"no error: {both[1]}")
    check_equal(context.expect(0, "models", "--names", env=env).stdout,
                b"smollm2-135m-instruct\nbroken\n", "--names")


def test_models_inspect(context):
    report = json.loads(context.expect(0, "models", "inspect", context.model, "--json").stdout)
    check_equal(len(report["tensors"]), 272, "tensors")
    by_name = {tensor["name"]: tensor for tensor in report["tensors"]}
    table = by_name["token_embd.weight"]
    check_equal((table["type"], table["shape"]), ("Q8_0", [49152, 576]), "embedding")
    check_equal(table["bytes"], 49152 * 576 // 32 * 34, "bytes of the embedding")
    check_equal(by_name["blk.0.attn_k.weight"]["shape"], [192, 576], "shape of attn_k")
    check_equal(report["metadata"]["general.architecture"].strip('"'), "llama", "architecture")
    text = context.expect(0, "models", "inspect", "smollm2-135m-instruct").stdout.decode()
    check("blk.29.ffn_down.weight" in text and "{576, 1536}" in text, text[-400:])
    context.expect(3, "models", "inspect", "/nowhere.gguf")


def test_completion_scripts(context):
    script = context.expect(0, "completion", "bash").stdout.decode()

    def offered(*words):
        quoted = " ".join(f"'{word}'" for word in words)
        probe = (f"{script}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _hangar\n"
                 "printf '%s\\n' \"${COMPREPLY[@]}\"\n")
        done = subprocess.run(["bash", "-c", probe], capture_output=True, text=True,
                              env=context.environment, check=False)
        check_equal(done.stderr, "", "complaints of bash")
        return done.stdout.split()

    check("serve" in offered(context.hangar, "se"), "bash does not complete a command")
    check_equal(offered(context.hangar, "serve", "--max-cont"), ["--max-context"], "an option")
    check_equal(offered(context.hangar, "serve", "--backend", ""), ["auto", "cpu", "cuda", "ref"], "values")
    check("inspect" in offered(context.hangar, "models", "ins"), "a command of a command")
    check("smollm2-135m-instruct" in offered(context.hangar, "chat", "--model", "smo"), "a model")
    script = context.expect(0, "completion", "zsh").stdout
    if shutil.which("zsh"):
        done = subprocess.run(["zsh", "-n"], input=script, capture_output=True, check=False)
        check_equal((done.returncode, done.stderr), (0, b""), "zsh -n")
    check(b"--max-context" in script, "zsh script without options")


def test_fewer_bits_than_the_files_are_for_a_card(context):
    text = os.path.join(context.scratch, "words.txt")
    with open(text, "w", encoding="utf-8") as file:
        file.write("one two three four " * 20)
    for command in (["generate", "x"], ["chat"], ["serve", "--port", "0"], ["bench", "model", "-p", "1", "-n", "0"],
                    ["bench", "engine", "-b", "1"], ["eval", "ppl", "--file", text, "--context", "16"]):
        done = context.expect(2, *command, "--backend", "cpu", "--quant", "fp8")
        check(b"--quant fp8 is for a card (--backend cuda)" in done.stderr, f"{command}: {done.stderr}")
    done = context.expect(2, "generate", "x", "--backend", "cpu", env={"HANGAR_QUANT_HEAD": "8"})
    check(b"--quant-head 8 is for a card" in done.stderr, f"the head: {done.stderr}")
    done = context.expect(2, "generate", "x", "--backend", "cpu", "--quant-head", "4")
    check(b"--quant-head 4 is for a card" in done.stderr, f"a head of 4 bits: {done.stderr}")
    done = context.expect(2, "generate", "x", "--backend", "cpu", "--int4-copies", "exact")
    check(b"--int4-copies exact is for a card" in done.stderr, f"copies: {done.stderr}")
    done = context.expect(2, "generate", "x", "--backend", "cpu", "--gpu-memory", "0.5")
    check(b"--gpu-memory is for a card" in done.stderr, f"a share of its memory: {done.stderr}")
    done = context.expect(2, "generate", "x", "--quant", "int5")
    check(b"auto|none|fp8|int4" in done.stderr, f"another word: {done.stderr}")
    context.expect(0, "generate", "Once", "--max-tokens", "1", "--backend", "cpu", "--quant", "none", "--quant-head", "16",
                   "--int4-copies", "off")


def test_output_that_cannot_be_written(context):
    for arguments in (["models"], ["--help"], ["completion", "zsh"], ["models", "inspect", context.model],
                      ["generate", "Once", "--max-tokens", "4"]):
        with open("/dev/full", "wb") as full:
            done = context.expect(6, *arguments, stdout=full)
        check(b"standard output: No space left" in done.stderr, f"{arguments}: {done.stderr}")
    read, write = os.pipe()
    os.close(read)
    try:
        context.expect(6, "models", stdout=write)
    finally:
        os.close(write)
