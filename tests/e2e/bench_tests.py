"""hangar bench: model, serve and batching on a model, a server and an engine of this machine."""
import contextlib
import http.server
import json
import os
import re
import signal
import ssl
import subprocess
import threading
import time

from harness import Terminal, check, check_equal, free_port

QUICK = ("-c", "3", "-n", "8", "--prompt-tokens", "fixed:60", "--output-tokens", "uniform:6-12", "--warmup", "1")


def test_bench_serve_measures_a_server(context):
    page = os.path.join(context.scratch, "report.html")
    with context.server() as server:
        done = context.expect(0, "bench", "serve", "--url", server.url, *QUICK, "--slo-ttft-ms", "60000",
                              "--json", "-", "--html", page)
        result = json.loads(done.stdout)
        check_equal(result["requests"]["done"], 8, "requests done")
        check_equal(result["requests"]["failed"], 0, f"failed: {result['errors']}")
        check(result["output_tokens"] >= 8 * 6 and result["output_tokens"] <= 8 * 12, "output tokens")
        check(abs(result["prompt_length"]["p50"] - 60) <= 1, f"prompt length: {result['prompt_length']}")
        check_equal(result["goodput"]["share"], 1, "goodput")
        rate = result["output_tokens"] / result["elapsed_s"]
        check(abs(rate - result["output_tokens_per_s"]) < 0.01 * rate, "tokens per second")
        for figure in ("ttft_ms", "itl_ms", "tpot_ms", "e2e_ms"):
            spread = result[figure]
            # Two tokens may come in one read.
            check(spread["min"] > 0 or (figure == "itl_ms" and spread["min"] == 0), f"{figure}: {spread}")
            check(0 < spread["p50"] <= spread["p99"] <= spread["max"], f"{figure}: {spread}")
            check(spread["min"] <= spread["p50"], f"{figure}: {spread}")
        check(result["ttft_ms"]["p50"] < result["e2e_ms"]["p50"], "the first token comes before the last")
        check_equal(done.stderr, b"", "nothing but figures where there is no terminal")
        with open(page, encoding="utf-8") as file:
            html = file.read()
        check("Throughput over time" in html and "smollm2" in html, "the page")
        check(not re.search(r"<(script|link|img)[^>]*(src|href)=", html), "the page asks for another file")

        text = context.expect(0, "bench", "serve", "--url", server.url + "/v1/", *QUICK, "--no-stream",
                              "--endpoint", "completions", "--seed", "2").stdout.decode()
        check("output tokens/s" in text and "TTFT" not in text.split("Times")[0], f"tables: {text}")


def test_bench_serve_runs_an_open_loop_and_a_file_of_prompts(context):
    listed = os.path.join(context.scratch, "asked.jsonl")
    with open(listed, "w", encoding="utf-8") as file:
        file.write('{"messages": [{"role": "user", "content": "Name a colour."}], "max_tokens": 5}\n')
        file.write('{"prompt": "Name a planet."}\n')
    with context.server() as server:
        done = context.expect(0, "bench", "serve", "--url", server.url, "--rate", "20", "-n", "10", "--prompts", listed,
                              "--output-tokens", "7", "--json", "-")
        result = json.loads(done.stdout)
        check_equal((result["requests"]["done"], result["output_tokens"]), (10, 5 * 5 + 5 * 7), "answers")
        check("open loop" in result["about"]["load"], f"about: {result['about']}")

        begin = time.monotonic()
        done = context.expect(0, "bench", "serve", "--url", server.url, "-c", "4", "--duration", "1.5",
                              "--output-tokens", "2000", "--prompt-tokens", "20", "--warmup", "0", "--json", "-")
        check(time.monotonic() - begin < 30, "the duration ends the load")
        result = json.loads(done.stdout)
        check_equal(result["requests"]["unfinished"], 4, "cut off at the end")
        check(1.4 < result["elapsed_s"] < 3, f"measured time: {result['elapsed_s']}")
        check(result["output_tokens"] > 0 and result["ttft_ms"]["count"] > 0, "what had come is counted")
        # What was cut off must not go on at the server.
        time.sleep(0.5)
        before = server.cpu_seconds()
        time.sleep(0.5)
        check(server.cpu_seconds() - before < 0.25, "the server still works on requests that were cut off")


def test_bench_serve_ctrl_c_reports_what_was_measured(context):
    with context.server() as server:
        terminal = Terminal(context, "bench", "serve", "--url", server.url, "-c", "2", "--duration", "600",
                            "--output-tokens", "20", "--warmup", "0")
        try:
            terminal.wait_for(b"of 600 s")
            time.sleep(2)
            terminal.type(b"\x03")
            shown = terminal.wait_for(b"stopped early")
            check(b"output tokens/s" in shown and b"TTFT" in shown, f"the report: {shown!r}")
            check_equal(terminal.wait(), 130, "exit code")
        finally:
            terminal.close()


def test_bench_serve_says_what_is_wrong(context):
    port = free_port()
    done = context.expect(8, "bench", "serve", "--url", f"http://127.0.0.1:{port}", *QUICK)
    check(f"127.0.0.1:{port}".encode() in done.stderr and b"connect" in done.stderr, f"{done.stderr}")
    context.expect(2, "bench", "serve", "--url", "localhost:8000")
    done = context.expect(2, "bench", "serve", "--prompt-tokens", "gauss:3")
    check(b"--prompt-tokens" in done.stderr and b"lognormal:MEAN,SD" in done.stderr, f"{done.stderr}")
    listed = os.path.join(context.scratch, "bad.jsonl")
    with open(listed, "w", encoding="utf-8") as file:
        file.write('{"prompt": "fine"}\n{"promt": "not"}\n')
    done = context.expect(2, "bench", "serve", "--prompts", listed)
    check(b"line 2" in done.stderr and b"promt" in done.stderr, f"{done.stderr}")
    with context.server() as server:
        done = context.expect(8, "bench", "serve", "--url", server.url, "--model", "another", *QUICK)
        check(b"404" in done.stderr, f"{done.stderr}")


class OneWordServer(http.server.BaseHTTPRequestHandler):
    """An OpenAI-like server that streams four words and wants a key."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer({"data": [{"id": "words"}]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/completions" or self.headers.get("Authorization") != "Bearer sesame":
            return self.answer({"error": {"message": "not here, or not you"}}, 401)
        usage = {"prompt_tokens": asked["prompt"].count(" ") + 1, "completion_tokens": 4}
        if not asked.get("stream"):
            return self.answer({"choices": [{"text": "w w w w"}], "usage": usage})
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in [{"choices": [{"text": "w "}]}] * 4 + [{"choices": [], "usage": usage}]:
            self.chunk(f"data: {json.dumps(part)}\n\n")
        self.chunk("data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def chunk(self, text):
        self.wfile.write(f"{len(text):x}\r\n{text}\r\n".encode())

    def answer(self, body, status=200):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@contextlib.contextmanager
def tls_server(scratch):
    """Serves OneWordServer with a certificate of its own; gives the address and the certificate's file."""
    key, certificate = os.path.join(scratch, "key.pem"), os.path.join(scratch, "certificate.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=here",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OneWordServer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # clients that do not like the certificate
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_address[1]}", certificate
    finally:
        server.shutdown()
        server.server_close()


def test_bench_serve_speaks_tls(context):
    with tls_server(context.scratch) as (url, certificate):
        load = ("bench", "serve", "--url", url, "--endpoint", "completions", "--api-key", "sesame", "-c", "3", "-n",
                "12", "--prompt-tokens", "30", "--json", "-")
        result = json.loads(context.expect(0, *load, env={"SSL_CERT_FILE": certificate}).stdout)
        check_equal((result["requests"]["done"], result["output_tokens"]), (12, 48), "answers")
        check_equal((result["prompt_length"]["min"], result["prompt_length"]["max"]), (30, 30), "prompt lengths")
        check("usage.prompt_tokens: 1.000" in result["about"]["token counts"], f"about: {result['about']}")
        check_equal(json.loads(context.expect(0, *load, "--insecure").stdout)["requests"]["done"], 12, "--insecure")
        done = context.expect(8, *load)
        check(b"tls" in done.stderr and b"certificate" in done.stderr, f"an unknown certificate: {done.stderr}")
        # The certificate is for localhost, not for this address.
        address = url.replace("localhost", "127.0.0.1")
        done = context.expect(8, *load[:3], address, *load[4:], env={"SSL_CERT_FILE": certificate})
        check(b"tls" in done.stderr, f"another name: {done.stderr}")
        done = context.expect(8, *load[:7], "wrong", *load[8:], "--insecure")
        check(b"401" in done.stderr and b"not you" in done.stderr, f"a wrong key: {done.stderr}")


def test_bench_batching_sets_the_policies_side_by_side(context):
    figures = os.path.join(context.scratch, "batching.json")
    page = os.path.join(context.scratch, "batching.html")
    text = context.expect(0, "bench", "batching", "-c", "8", "-n", "16", "--prompt-tokens", "20", "--output-tokens",
                          "uniform:4-40", "--json", figures, "--html", page).stdout.decode()
    with open(figures, encoding="utf-8") as file:
        result = json.load(file)
    policies = {policy["policy"]: policy for policy in result["policies"]}
    check_equal(list(policies), ["none", "static", "dynamic", "continuous"], "policies")
    for name, policy in policies.items():
        check_equal((policy["requests"]["done"], policy["requests"]["failed"]), (16, 0), name)
        check_equal(policy["output_tokens"], policies["none"]["output_tokens"], f"the same load for {name}")
        check(0 < policy["busy_share"] <= 1 and 0 < policy["slots_share"] <= 1, f"{name}: shares")
        check(policy["use"]["time_s"], f"{name}: use over time")
        check(name in text, f"the table: {text}")
    check(policies["none"]["slots_share"] <= 1 / 8 + 0.01, "none runs one at a time")
    check(policies["continuous"]["slots_share"] > policies["none"]["slots_share"], "continuous fills more slots")
    with open(page, encoding="utf-8") as file:
        html = file.read()
    check(html.count("Slots in use") == 4 * 2, "a figure for each policy, with its label")
    check_equal(context.run("bench", "batching", "--policies", "sometimes").returncode, 2, "an unknown policy")


def test_bench_batching_ends_on_ctrl_c(context):
    process = context.start("bench", "batching", "-c", "4", "-n", "100000")
    try:
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=30)
        check(process.returncode in (9, 130, -signal.SIGINT), f"exit code {process.returncode}: {error}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_bench_model_measures_speeds_together_and_behind_a_context(context):
    text = context.expect(0, "bench", "model", "-p", "32", "-n", "8", "-b", "1,4", "-d", "16", "--repeats", "2",
                          "--json").stdout
    results = {row["test"]: row["tokens_per_s"] for row in json.loads(text)}
    check_equal(list(results), ["pp32 @ d16", "tg8 @ d16", "tg8 x4 @ d16"], "tests")
    for name, speeds in results.items():
        check(len(speeds) == 2 and min(speeds) > 0, f"{name}: {speeds}")
    done = context.run("bench", "model", "-p", "0", "-n", "0")
    check_equal(done.returncode, 2, "nothing to measure")


def test_bench_model_takes_an_instruction_set_by_name(context):
    done = context.expect(2, "bench", "model", "--instruction-set", "Z80")
    names = re.search(rb"it has: (.*)", done.stderr)[1].decode().split(", ")
    check(len(names) >= 2, f"the sets there are: {names}")
    speeds = {}
    for name in (names[0], names[-1]):
        text = context.expect(0, "bench", "model", "-p", "32", "-n", "0", "--repeats", "3", "--instruction-set", name,
                              "--json").stdout
        speeds[name] = max(json.loads(text)[0]["tokens_per_s"])
    check(speeds[names[0]] > speeds[names[-1]], f"the first is the best: {speeds}")
    done = context.expect(2, "bench", "model", "--instruction-set", names[0], "--backend", "ref")
    check(b"not for" in done.stderr, done.stderr)


def test_bench_model_accounts_for_a_steps_time(context):
    flags = ("bench", "model", "-p", "64", "-n", "16", "--repeats", "3", "--account")
    accounts = json.loads(context.expect(0, *flags, "--json").stdout)
    check_equal([account["test"] for account in accounts], ["pp64", "tg16"], "tests")
    for account in accounts:
        parts = {part["part"]: part for part in account["parts"]}
        for name in ("qkv", "attention_out", "gate_up", "down", "head", "attention", "sampling"):
            check(parts[name]["us"] > 0, f"{account['test']}: {name}")
        whole = sum(part["us"] for part in parts.values()) + account["joins_us"] + account["outside_us"]
        check(abs(whole / account["step_us"] - 1) < 1e-6, f"{account['test']}: {whole} of {account['step_us']} us")
        check_equal(round(parts["qkv"]["calls"]), 30, "one product of q, k and v a layer")
    table = context.expect(0, *flags).stdout.decode()
    check("joins (wakes and waits)" in table and "outside operations" in table, table)
