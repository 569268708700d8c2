"""hangar serve: answers, streams, signals, neighbours."""
import json
import os
import signal
import socket
import threading
import time
import urllib.error

from harness import Failure, check, check_equal, events

MODEL = "smollm2-135m-instruct"
ASK = {"model": MODEL, "messages": [{"role": "user", "content": "Name three colours."}],
       "temperature": 0, "max_tokens": 24}
LONG = {"model": MODEL, "prompt": "Once upon a time", "max_tokens": 400, "temperature": 0,
        "ignore_eos": True, "stream": True}


def test_serve_answers(context):
    with context.server() as server:
        text = server.output()
        check(server.url in text and "curl " in text and MODEL in text, f"greeting: {text}")
        models = server.get("/v1/models").json()
        check_equal([m["id"] for m in models["data"]], [MODEL], "models")
        chat = server.post("/v1/chat/completions", ASK)
        check_equal(chat.status, 200, "status")
        whole = chat.json()["choices"][0]["message"]["content"]
        check(len(whole) > 5, f"content: {whole!r}")

        stream = server.stream("/v1/chat/completions", {**ASK, "stream": True,
                                                        "stream_options": {"include_usage": True}})
        with stream:
            got = list(events(stream))
        check_equal(got[-1], "[DONE]", "end of the stream")
        pieces = [e["choices"][0]["delta"].get("content") or "" for e in got[:-1] if e["choices"]]
        check_equal("".join(pieces), whole, "streamed text")
        # The second finds the prompt's beginning in the prefix cache.
        counts = [{name: usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
                  for usage in (got[-2]["usage"], chat.json()["usage"])]
        check_equal(counts[0], counts[1], "usage")

        done = server.post("/v1/completions", {"model": MODEL, "prompt": "The capital of France is",
                                               "max_tokens": 8, "temperature": 0})
        check_equal(done.status, 200, "status")
        line = context.expect(0, "generate", "The capital of France is", "--max-tokens", "8").stdout
        check_equal(done.json()["choices"][0]["text"], line.decode(), "completion and generate")

        bad = server.post("/v1/chat/completions", {**ASK, "temperature": "hot"})
        check_equal((bad.status, bad.json()["error"]["param"]), (400, "temperature"), "a wrong type")
        check_equal(server.post("/v1/chat/completions", {**ASK, "model": "x"}).status, 404, "model")
        check_equal(server.get("/v1/chat/completions").status, 405, "method")
        check_equal(server.get("/nothing").status, 404, "path")
        server.signal(signal.SIGTERM)
        check_equal(server.wait(), 0, "exit code of an idle server")


def test_serve_finishes_streams_on_sigterm(context):
    with context.server() as server:
        with server.stream("/v1/completions", LONG) as stream:
            reader = events(stream)
            next(reader)
            server.signal(signal.SIGTERM)
            time.sleep(0.3)
            try:
                status = server.post("/v1/chat/completions", ASK, timeout=5).status
                check_equal(status, 503, "status of a new request while draining")
            except (ConnectionError, urllib.error.URLError, socket.timeout):
                pass  # refusing the connection refuses the request too
            rest = list(reader)
        check_equal(rest[-1], "[DONE]", "end of the running stream")
        check_equal(rest[-2]["choices"][0]["finish_reason"], "length", "finish_reason")
        check_equal(server.wait(), 0, "exit code")


def test_serve_second_signal_exits_at_once(context):
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        with context.server() as server:
            with server.stream("/v1/completions", {**LONG, "max_tokens": 8000}) as stream:
                next(events(stream))
                server.signal(number)
                time.sleep(0.3)
                check(server.process.poll() is None, "the first signal did not wait for the stream")
                begin = time.monotonic()
                server.signal(number)
                check_equal(server.wait(5), code, "exit code")
                check(time.monotonic() - begin < 1, "the second signal took too long")


def test_serve_port_in_use(context):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        done = context.expect(6, "serve", "--port", port)
        check(port.encode() in done.stderr and b"--port" in done.stderr, f"{done.stderr}")
    context.expect(2, "serve", "--host", "not an address")


def test_serve_client_gone_stops_generation(context):
    with context.server() as server:
        stream = server.stream("/v1/completions", {**LONG, "max_tokens": 8000})
        next(events(stream))
        stream.close()
        time.sleep(1)  # a step or two, and noticing
        before = server.cpu_seconds()
        time.sleep(1)
        used = server.cpu_seconds() - before
        check(used < 0.3, f"still computing after the client left: {used:.2f} s of processor time")
        check_equal(server.post("/v1/chat/completions", ASK).status, 200, "the next request")


def test_serve_idle_costs_nothing(context):
    with context.server() as server:
        server.post("/v1/chat/completions", ASK)
        time.sleep(0.5)
        before = server.cpu_seconds()
        time.sleep(2)
        used = server.cpu_seconds() - before
        check(used < 0.1, f"idle, yet {used:.2f} s of processor time in 2 s")


def test_serve_two_servers_at_once(context):
    with context.server("--threads", "1") as one, context.server("--threads", "1") as two:
        answers = {}

        def ask(name, server):
            answers[name] = server.post("/v1/chat/completions", ASK).json()

        threads = [threading.Thread(target=ask, args=pair) for pair in (("one", one), ("two", two))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        texts = {a["choices"][0]["message"]["content"] for a in answers.values()}
        check_equal(len(texts), 1, f"different texts from two servers: {json.dumps(answers)}; count")


def test_serve_many_clients(context):
    with context.server() as server:
        results = []

        def ask(i):
            body = {"model": MODEL, "prompt": f"Number {i} is", "max_tokens": 4, "temperature": 0}
            results.append(server.post("/v1/completions", body).status)

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check_equal(results, [200] * 12, "answers to 12 clients at once")


def test_serve_signal_while_loading(context):
    process = context.start("serve", "--port", "0")
    time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    # Before the program can watch for signals the system ends it; after that it is a clean exit.
    if process.returncode not in (0, -signal.SIGTERM):
        raise Failure(f"exit {process.returncode}")


def processor_seconds(process):
    with open(f"/proc/{process.pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_serve_idle_uses_no_processor(context):
    with context.server() as server:
        check_equal(server.post("/v1/chat/completions", ASK).status, 200, "status")
        time.sleep(1)
        begin = processor_seconds(server.process)
        time.sleep(10)
        used = processor_seconds(server.process) - begin
        check(used < 0.05, f"{used:.2f} s of processor time in 10 s of waiting")
