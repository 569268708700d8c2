"""What a server says of itself under load: health, metrics, full queues, time limits."""
import json
import signal
import threading
import time
import urllib.error
import urllib.request

from harness import check, check_equal, events

MODEL = "smollm2-135m-instruct"
SHORT = {"model": MODEL, "prompt": "One, two, three,", "max_tokens": 4, "temperature": 0}
LONG = {**SHORT, "max_tokens": 4000, "ignore_eos": True, "stream": True}


def metrics(server):
    """Value by sample, as the text has it."""
    values = {}
    for line in server.get("/metrics").body.decode().splitlines():
        if line and not line.startswith("#"):
            sample, value = line.rsplit(" ", 1)
            values[sample] = float(value)
    return values


def of_model(name, **labels):
    inner = ",".join(f'{k}="{v}"' for k, v in {"model_name": MODEL, **labels}.items())
    return f"{name}{{{inner}}}"


def wait_for(condition, what, timeout=20):
    end = time.monotonic() + timeout
    while not condition():
        check(time.monotonic() < end, what)
        time.sleep(0.05)


def test_health_and_metrics_follow_a_request(context):
    with context.server() as server:
        check_equal(server.get("/readyz").json(), {"status": "ok"}, "readyz")
        check_equal(server.get("/livez").status, 200, "livez")
        before = metrics(server)
        check_equal(before[of_model("hangar_requests_total", outcome="answered")], 0,
                    "answered requests before the first one (the warm-up is none)")
        answer = server.post("/v1/completions", {**SHORT, "n": 2, "seed": 1, "ignore_eos": True})
        check_equal(answer.json()["usage"]["completion_tokens"], 8, "tokens of both choices")
        after = metrics(server)
        check_equal(after[of_model("hangar_requests_total", outcome="answered")], 1, "answered")
        check_equal(after[of_model("hangar_request_success_total", finished_reason="length")], 2,
                    "choices by length")
        check_equal(after[of_model("hangar_inter_token_seconds_count")], 6, "gaps between tokens")
        check_equal(after[of_model("hangar_requests_running")], 0, "running")
        check_equal(after[of_model("hangar_kv_blocks", state="held")], 0, "held blocks")
        check(after["process_resident_memory_bytes"] > 5e7, "resident memory")

        with server.stream("/v1/completions", LONG) as stream:
            next(events(stream))
            check_equal(metrics(server)[of_model("hangar_requests_running")], 1, "running")
        wait_for(lambda: metrics(server)[of_model("hangar_kv_blocks", state="held")] == 0,
                 "a client that left still holds blocks")
        check_equal(metrics(server)[of_model("hangar_requests_total", outcome="cancelled")], 1,
                    "cancelled")

        with server.stream("/v1/completions", {**LONG, "max_tokens": 100}) as stream:
            reader = events(stream)
            next(reader)
            server.signal(signal.SIGTERM)
            rest = list(reader)
            check_equal(rest[-1], "[DONE]", "end of the stream that ran")
        check_equal(server.wait(), 0, "exit code")


def test_full_queues_and_time_limits(context):
    with context.server("--max-running", "1", "--max-queue", "1") as server:
        with server.stream("/v1/completions", LONG) as running:
            next(events(running))
            statuses = []
            waiting = threading.Thread(
                target=lambda: statuses.append(server.post("/v1/completions", SHORT).status))
            waiting.start()
            wait_for(lambda: metrics(server)[of_model("hangar_requests_waiting")] == 1,
                     "nothing waits")
            full = server.post("/v1/completions", SHORT)
            check_equal(full.status, 429, "status of a request that finds the queue full")
            check_equal(full.json()["error"]["type"], "rate_limit_error", "type")
            check(1 <= int(full.headers["Retry-After"]) <= 60, f"Retry-After: {full.headers}")
        waiting.join()
        check_equal(statuses, [200], "the one that waited")
        check_equal(metrics(server)[of_model("hangar_queue_rejections_total")], 1, "rejections")

        with server.stream("/v1/completions", LONG) as running:
            next(events(running))
            late = server.post("/v1/completions", {**SHORT, "timeout_s": 0.3})
            check_equal(late.status, 408, "status of a request that ran out of its time in the queue")
            request = urllib.request.Request(
                server.url + "/v1/completions", json.dumps(SHORT).encode(),
                {"Content-Type": "application/json", "X-Request-Timeout-Ms": "300"})
            try:
                urllib.request.urlopen(request, timeout=20).close()
                check(False, "the header's limit did not count")
            except urllib.error.HTTPError as error:
                with error:
                    check_equal(error.code, 408, "status by the header")
                    check_equal(error.headers["X-Should-Retry"], "false", "X-Should-Retry")
        check_equal(metrics(server)[of_model("hangar_expired_total")], 2, "expired")


def test_the_servers_time_limit(context):
    with context.server("--request-timeout-s", "1") as server:
        late = server.post("/v1/completions", {**LONG, "stream": False})
        check_equal(late.status, 504, "status past the server's limit")
        with server.stream("/v1/completions", LONG) as stream:
            got = list(events(stream))
        check_equal(got[-1]["error"]["code"], "deadline_exceeded", "end of a stream that was late")
        check_equal(server.post("/v1/completions", SHORT).status, 200, "the next one")


def test_best_of_is_the_likeliest(context):
    with context.server() as server:
        body = {**SHORT, "temperature": 1, "seed": 3, "max_tokens": 6, "ignore_eos": True}
        each = server.post("/v1/completions", {**body, "n": 4, "logprobs": 0}).json()
        means = {}
        for choice in each["choices"]:
            values = choice["logprobs"]["token_logprobs"]
            means[choice["text"]] = sum(values) / len(values)
        best = server.post("/v1/completions", {**body, "best_of": 4}).json()
        check_equal(len(best["choices"]), 1, "choices")
        check_equal(best["choices"][0]["text"], max(means, key=means.get), "the best text")
        check_equal(best["choices"][0]["logprobs"], None, "logprobs that nobody asked for")
        check_equal(best["usage"], {**each["usage"],
                                    "prompt_tokens_details": best["usage"]["prompt_tokens_details"]},
                    "usage")
