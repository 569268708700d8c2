"""hangar serve under bad input and faults: refused clearly, quickly, and nothing is left behind."""
import concurrent.futures
import contextlib
import http.client
import json
import os
import random
import re
import resource
import socket
import threading
import time

from harness import check, check_equal

MODEL = "smollm2-135m-instruct"
CHAT = "/v1/chat/completions"


def metric(server, name):
    """The sum over the metric's series, or of those with a label (name{label}); None: there are none."""
    name, _, label = name.rstrip("}").partition("{")
    text = server.get("/metrics").body.decode()
    found = re.findall(rf"^{re.escape(name)}(\{{.*\}})? (\S+)$", text, re.M)
    values = [float(value) for labels, value in found if label in labels]
    return sum(values) if values else None


def raw(server, data, timeout=10):
    """What the server says to these bytes, until it closes or falls silent."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        got = b""
        with contextlib.suppress(ConnectionError):
            while piece := client.recv(65536):
                got += piece
        return got


def body_request(body, path=CHAT):
    return (f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


def test_fault_bodies_are_refused_by_name(context):
    message = b'[{"role":"user","content":"hi"}]'
    start = b'{"model":"' + MODEL.encode() + b'","messages":' + message
    bodies = {
        "cut short": start,
        "not JSON": b"hello",
        "empty": b"",
        "an array": b"[1]",
        "deep arrays": b"[" * 100_000,
        "deep objects": b'{"a":' * 50_000,
        "NaN": start + b',"temperature":NaN}',
        "infinity": start + b',"temperature":1e999}',
        "minus infinity": start + b',"top_p":-1e999}',
        "out of range": start + b',"temperature":99}',
        "a number as text": start + b',"max_tokens":"5"}',
        "an integer too large": start + b',"max_tokens":99999999999999999999999}',
        "unknown field": start + b',"colour":"red"}',
        "wrong type": start + b',"stream":"yes"}',
        "bias of no token": start + b',"logit_bias":{"99999999":1}}',
        "a huge bias": start + b',"logit_bias":{' + b",".join(b'"%d":1' % i for i in range(300_000)) + b"}}",
        "invalid UTF-8": b'{"model":"' + MODEL.encode() + b'","messages":[{"role":"user","content":"\xff\xfe"}]}',
        "half a surrogate": b'{"model":"x","messages":[{"role":"user","content":"\\ud800"}]}',
        "a NUL in the model": b'{"model":"a\\u0000b","messages":' + message + b"}",
    }
    with context.server() as server:
        for name, body in bodies.items():
            begin = time.monotonic()
            answer = raw(server, body_request(body))
            took = time.monotonic() - begin
            status = answer.split(b" ", 2)[1:2]
            check(status and 400 <= int(status[0]) < 500, f"{name}: {answer[:200]!r}")
            error = json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]
            check(len(error["message"]) > 10, f"{name}: says {error['message']!r}")
            check(took < 1, f"{name}: took {took:.2f} s")
        check_equal(server.get("/v1/models").status, 200, "status afterwards")


def test_fault_prompts_past_the_context(context):
    with context.server() as server:
        for size, limit_s in ((100_000, 2.0), (10_000_000, 2.0)):
            text = "All work and no play makes Jack a dull boy. " * (size // 44)
            for path, field in ((CHAT, {"messages": [{"role": "user", "content": text}]}),
                                ("/v1/completions", {"prompt": text})):
                begin = time.monotonic()
                answer = server.post(path, {"model": MODEL, **field})
                took = time.monotonic() - begin
                check_equal(answer.status, 400, f"{size} bytes to {path}")
                error = answer.json()["error"]
                check_equal(error["code"], "context_length_exceeded", "code")
                check(len(re.findall(r"\d+", error["message"])) >= 2,
                      f"both lengths: {error['message']!r}")
                check(took < limit_s, f"{size} bytes to {path}: refused after {took:.2f} s")


def test_fault_broken_http(context):
    with context.server() as server:
        for data, status in (
            (b"hello\r\n\r\n", 400),
            (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 505),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", 431),
            (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 413),
            (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
            (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
            (b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
             b"Connection: close\r\nContent-Length: 2\r\n\r\n{}", 415),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64, 400),
        ):
            answer = raw(server, data)
            check(answer.startswith(b"HTTP/1.1 %d " % status), f"{data[:60]!r}: {answer[:80]!r}")
            check(b"\r\nConnection: close\r\n" in answer, f"{data[:60]!r}: does not say that it closes")


def stream_and_leave(server, seed):
    """Begins a stream and breaks the connection somewhere in it, in one of three ways."""
    chance = random.Random(seed)
    request = json.dumps({"model": MODEL, "prompt": f"Story {seed % 7}:", "max_tokens": 200,
                          "ignore_eos": True, "stream": True}).encode()
    client = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    try:
        client.sendall(body_request(request, "/v1/completions").replace(b"Connection: close\r\n", b""))
        wanted = chance.choice((0, 1, 200, 2000))
        got = b""
        while len(got) < wanted and b"data: [DONE]" not in got:
            piece = client.recv(4096)
            got += piece
            check(piece and got.startswith(b"HTTP/1.1 200 "), f"a stream: {got!r}")
        how = chance.randrange(3)
        if how == 0:  # a reset instead of an orderly end
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        elif how == 1:
            client.shutdown(socket.SHUT_WR)
            time.sleep(0.005)
    finally:
        client.close()


def test_fault_clients_that_leave_a_thousand_times(context):
    with context.server("--max-context", "512") as server:
        stop = threading.Event()
        answers = []

        def load():
            while not stop.is_set():
                body = {"model": MODEL, "prompt": "Once", "max_tokens": 8, "temperature": 0}
                answer = server.post("/v1/completions", body)
                answers.append(answer.json()["choices"][0]["text"] if answer.status == 200
                               else f"{answer.status}: {answer.body!r}")

        neighbours = [threading.Thread(target=load) for _ in range(2)]
        for neighbour in neighbours:
            neighbour.start()
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            for done in [pool.submit(stream_and_leave, server, seed) for seed in range(1000)]:
                done.result()
        stop.set()
        for neighbour in neighbours:
            neighbour.join()
        check(len(answers) > 2 and len(set(answers)) == 1, f"neighbours' answers: {set(answers)}")
        # The request for /metrics itself is the one connection that is left.
        wanted = {"vllm:num_requests_running": 0, "vllm:num_requests_waiting": 0,
                  'hangar_kv_blocks{state="held"}': 0, "hangar_http_connections": 1}
        end = time.monotonic() + 10
        while True:
            got = {name: metric(server, name) for name in wanted}
            if got == wanted or time.monotonic() > end:
                break
            time.sleep(0.1)
        check_equal(got, wanted, "what is left after 1,000 clients that went away")
        check_equal(server.get("/health").status, 200, "health afterwards")


def test_fault_slow_clients_keep_nobody_waiting(context):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        return "skipped: this system allows too few open files"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    try:
        with context.server("--max-connections", "600") as server, contextlib.ExitStack() as stack:
            for i in range(1000):
                client = stack.enter_context(
                    contextlib.closing(socket.create_connection(("127.0.0.1", server.port))))
                client.sendall((b"", b"GET /livez HTTP/1.1\r\nHo",
                                body_request(b"x" * 100)[:-50])[i % 3])
            for _ in range(5):
                begin = time.monotonic()
                check_equal(server.get("/livez").status, 200, "status beside 1,000 slow clients")
                check(time.monotonic() - begin < 0.5, "it took too long")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_fault_out_of_descriptors(context):
    with context.server() as server:
        kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)

        def ask_kept():
            kept.request("GET", "/v1/models")
            answer = kept.getresponse()
            answer.read()
            return answer.status

        check_equal(ask_kept(), 200, "the first request")
        with open(f"/proc/{server.process.pid}/limits", encoding="ascii") as file:
            soft, hard = re.search(r"Max open files\s+(\d+)\s+(\d+)", file.read()).groups()
        open_files = {int(name) for name in os.listdir(f"/proc/{server.process.pid}/fd")}
        lowest_free = next(n for n in range(len(open_files) + 1) if n not in open_files)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (lowest_free, int(hard)))
        refused = raw(server, b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
        check(refused.startswith(b"HTTP/1.1 503 "), f"a new client without a descriptor: {refused[:100]!r}")
        check_equal(ask_kept(), 200, "the connection that was there")
        before = server.cpu_seconds()
        time.sleep(1)
        used = server.cpu_seconds() - before
        check(used < 0.1, f"without a descriptor, and asked nothing, {used:.2f} s of processor time in 1 s")
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (int(soft), int(hard)))
        check_equal(server.get("/v1/models").status, 200, "a new client afterwards")
        kept.close()


def test_fault_pooled_connections_are_closed_after_their_time(context):
    with context.server("--idle-timeout-s", "1") as server:
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        client.request("GET", "/v1/models")
        answer = client.getresponse()
        answer.read()
        check_equal(answer.headers["Keep-Alive"], "timeout=1", "what the client is told")
        time.sleep(1.2)
        client.sock.sendall(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
        check(client.sock.recv(12).startswith(b"HTTP/1.1 200"), "a request just after the time that was told")
        client.close()


def test_fault_bodies_and_answers_have_their_time(context):
    flags = ("--body-timeout-s", "1", "--answer-timeout-s", "2", "--max-body-mb", "1", "--max-bodies-mb", "2")
    with context.server(*flags) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
            client.sendall(body_request(b"x" * 500)[:-100])
            check(client.recv(65536).startswith(b"HTTP/1.1 408 "), "a body that does not come whole")
        body = json.dumps({"model": MODEL, "prompt": "On and on", "max_tokens": 4000, "ignore_eos": True})
        answer = server.post("/v1/completions", json.loads(body), timeout=30)
        check_equal(answer.status, 504, "an answer that takes too long")
        deadline = time.monotonic() + 5
        while metric(server, "hangar_requests_running") and time.monotonic() < deadline:
            time.sleep(0.05)
        check_equal(metric(server, "hangar_requests_running"), 0, "requests that go on after it")
