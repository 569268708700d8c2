"""Holds a running server to what OpenAI's own client and plain HTTP expect of it.

Usage: openai_client_test.py [URL]     or HANGAR_URL=http://127.0.0.1:8000

Needs the `openai` package; the rest is the standard library. Prints one line a check group and a
count at the end; the exit code is 1 if any check failed. The server must serve one model with a
chat template; nothing is assumed of how clever it is.
"""

import http.client
import json
import os
import socket
import sys
import time
import urllib.parse

import openai

URL = (sys.argv[1] if len(sys.argv) > 1 else os.environ.get("HANGAR_URL", "")).rstrip("/")
if not URL:
    sys.exit("say where the server is: an argument, or HANGAR_URL")
HOST = urllib.parse.urlsplit(URL).hostname
PORT = urllib.parse.urlsplit(URL).port or 80

client = openai.OpenAI(base_url=URL + "/v1", api_key="none", max_retries=0, timeout=120)
MODEL = client.models.list().data[0].id
MESSAGES = [{"role": "user", "content": "Say hello in one short sentence."}]
PROMPT = "The capital of France is"

passed = 0
failures = []


def check(holds, what):
    global passed
    if holds:
        passed += 1
    else:
        failures.append(what)
        print("  FAILED:", what)


def raises(kind, call, param=None, code=None):
    name = f"{kind.__name__} for {param or code}"
    try:
        call()
    except kind as error:
        check(True, name)
        if param is not None:
            check(error.param == param, f"{name}: param is {error.param!r}")
        if code is not None:
            check(error.code == code, f"{name}: code is {error.code!r}")
        check(bool(error.body["message"]), f"{name}: has a message")
    except Exception as error:  # noqa: BLE001: any other is the failure that is told
        check(False, f"{name}: got {type(error).__name__}: {error}")
    else:
        check(False, f"{name}: nothing was raised")


def chat(**more):
    arguments = {"model": MODEL, "messages": MESSAGES, "max_tokens": 8, "temperature": 0}
    return client.chat.completions.create(**(arguments | more))


def complete(**more):
    arguments = {"model": MODEL, "prompt": PROMPT, "max_tokens": 8, "temperature": 0}
    return client.completions.create(**(arguments | more))


def raw(method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(HOST, PORT, timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def raw_json(path, body):
    text = body if isinstance(body, (str, bytes)) else json.dumps(body)
    status, headers, data = raw("POST", path, text, {"Content-Type": "application/json"})
    return status, json.loads(data)


def test_models():
    models = client.models.list()
    check(models.object == "list" and len(models.data) >= 1, "a list of models")
    check(all(m.object == "model" and m.id and m.created > 0 for m in models.data), "model objects")
    check(client.models.retrieve(MODEL).id == MODEL, "a model by its id")
    raises(openai.NotFoundError, lambda: client.models.retrieve("nobody/nothing"), "model",
           "model_not_found")


def test_chat():
    answer = chat()
    check(answer.id.startswith("chatcmpl-"), "id")
    check(answer.object == "chat.completion", "object")
    check(answer.model == MODEL, "model")
    check(abs(answer.created - time.time()) < 600, "created")
    check(bool(answer.system_fingerprint), "system_fingerprint")
    choice = answer.choices[0]
    check(choice.index == 0 and choice.message.role == "assistant", "message")
    check(isinstance(choice.message.content, str) and choice.message.content != "", "content")
    check(choice.finish_reason in ("stop", "length"), "finish_reason")
    check(choice.logprobs is None, "no logprobs unasked")
    usage = answer.usage
    check(usage.prompt_tokens > 0 and 0 < usage.completion_tokens <= 8, "usage")
    check(usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, "total_tokens")
    check(usage.prompt_tokens_details.cached_tokens >= 0, "cached_tokens")
    check(chat().choices[0].message.content == choice.message.content, "greedy answers repeat")
    check(chat(max_tokens=openai.omit, max_completion_tokens=2).usage.completion_tokens <= 2,
          "max_completion_tokens")
    parts = [{"role": "user", "content": [{"type": "text", "text": MESSAGES[0]["content"]}]}]
    check(chat(messages=parts).choices[0].message.content == choice.message.content,
          "content as parts")
    developer = chat(messages=[{"role": "developer", "content": "Be brief."}] + MESSAGES)
    system = chat(messages=[{"role": "system", "content": "Be brief."}] + MESSAGES)
    check(developer.choices[0].message.content == system.choices[0].message.content,
          "developer is system")


def test_chat_stream():
    whole = chat(max_tokens=24).choices[0]
    chunks = list(chat(max_tokens=24, stream=True, stream_options={"include_usage": True}))
    check(all(c.object == "chat.completion.chunk" for c in chunks), "chunk objects")
    check(len({c.id for c in chunks}) == 1, "one id")
    check(chunks[0].choices[0].delta.role == "assistant", "role first")
    check(chunks[0].choices[0].delta.content == "", "empty content with the role")
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    check(text == whole.message.content, "the stream's text is the whole answer's")
    finishes = [c.choices[0].finish_reason for c in chunks if c.choices]
    check(finishes[-1] == whole.finish_reason and not any(finishes[:-1]), "finish comes last")
    check(chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0, "usage at the end")
    check(all(c.usage is None for c in chunks[:-1]), "usage null before")
    check(len(chunks) > 4, "it came in pieces")
    plain = list(chat(stream=True))
    check(all(c.choices and c.usage is None for c in plain), "no usage unasked")


def test_choices_and_seeds():
    answer = chat(n=3, temperature=1, seed=-5, max_tokens=8)
    check([c.index for c in answer.choices] == [0, 1, 2], "three choices")
    again = chat(n=3, temperature=1, seed=-5, max_tokens=8)
    check([c.message.content for c in again.choices] == [c.message.content for c in answer.choices],
          "a seed repeats")
    one = chat(temperature=1, seed=-5, max_tokens=8)
    check(one.choices[0].message.content == answer.choices[0].message.content,
          "n does not change the first choice")
    check(answer.usage.prompt_tokens == one.usage.prompt_tokens, "the prompt counts once")
    check(answer.usage.completion_tokens > one.usage.completion_tokens, "every choice counts")
    wide = chat(temperature=1, seed=2**63 - 1, max_tokens=2)
    check(wide.choices[0].finish_reason in ("stop", "length"), "64-bit seeds")
    texts = {0: "", 1: "", 2: ""}
    for chunk in chat(n=3, temperature=1, seed=-5, max_tokens=8, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    check(list(texts.values()) == [c.message.content for c in answer.choices], "streamed choices")


def test_logprobs():
    choice = chat(logprobs=True, top_logprobs=3).choices[0]
    content = choice.logprobs.content
    check(b"".join(bytes(t.bytes) for t in content).decode("utf-8", "replace").strip()
          .startswith(choice.message.content.strip()), "tokens make the text")
    check(all(t.logprob <= 0 and len(t.top_logprobs) == 3 for t in content), "three alternatives")
    check(all(t.top_logprobs[0].logprob >= t.top_logprobs[2].logprob for t in content), "in order")
    check(all(abs(t.top_logprobs[0].logprob - t.logprob) < 1e-4 for t in content),
          "greedy takes the likeliest")
    check(chat(logprobs=True).choices[0].logprobs.content[0].top_logprobs == [], "none unasked")
    streamed = [t for c in chat(logprobs=True, top_logprobs=3, stream=True)
                if c.choices and c.choices[0].logprobs for t in c.choices[0].logprobs.content]
    check([t.token for t in streamed] == [t.token for t in content], "streamed logprobs")
    legacy = complete(logprobs=2, echo=True, max_tokens=3).choices[0]
    shape = legacy.logprobs
    lengths = {len(shape.tokens), len(shape.token_logprobs), len(shape.top_logprobs),
               len(shape.text_offset)}
    check(len(lengths) == 1, "four lists of one length")
    check(shape.token_logprobs[0] is None and all(p <= 0 for p in shape.token_logprobs[1:]),
          "no log-probability for the first token")
    check(legacy.text.startswith(PROMPT), "echo")
    check(all(legacy.text[o:].startswith(t) for t, o in zip(shape.tokens, shape.text_offset)),
          "offsets point at their tokens")
    check(all(2 <= len(top) <= 3 for top in shape.top_logprobs[1:]), "legacy alternatives")


def test_completions():
    answer = complete()
    check(answer.id.startswith("cmpl-") and answer.object == "text_completion", "id and object")
    check(answer.choices[0].text != "", "text")
    check(answer.choices[0].logprobs is None, "no logprobs unasked")
    check(complete(max_tokens=openai.omit, extra_body={"ignore_eos": True})
          .usage.completion_tokens == 16, "sixteen tokens by default")
    many = complete(prompt=[PROMPT, "One, two,"], n=2)
    check([c.index for c in many.choices] == [0, 1, 2, 3], "prompts times choices")
    check(many.choices[0].text == answer.choices[0].text, "the first prompt's answer")
    ids = complete(prompt=[100, 200, 300])
    check(ids.usage.prompt_tokens == 3, "token ids")
    lists = complete(prompt=[[100, 200, 300], [5, 6]])
    check(lists.usage.prompt_tokens == 5 and len(lists.choices) == 2, "lists of token ids")
    check(lists.choices[0].text == ids.choices[0].text, "ids alone or in a list")
    nothing = complete(max_tokens=0, echo=True)
    check(nothing.choices[0].text == PROMPT, "echo of the prompt alone")
    check(nothing.usage.completion_tokens == 0, "and no tokens")
    check(nothing.choices[0].finish_reason == "length", "which ends by length")
    scored = complete(max_tokens=0, echo=True, logprobs=1).choices[0]
    check("".join(scored.logprobs.tokens) == PROMPT, "the prompt scored")
    text = "".join(c.choices[0].text for c in complete(stream=True) if c.choices)
    check(text == answer.choices[0].text, "streamed text")
    echoed = "".join(c.choices[0].text for c in complete(stream=True, echo=True) if c.choices)
    check(echoed == PROMPT + text, "streamed echo")


def test_stops_and_limits():
    text = complete(max_tokens=12, extra_body={"ignore_eos": True}).choices[0].text
    stop = text[len(text) // 2:len(text) // 2 + 3]
    cut = complete(max_tokens=12, stop=stop, extra_body={"ignore_eos": True})
    check(cut.choices[0].text == text[:text.index(stop)], "text ends before the stop string")
    check(cut.choices[0].finish_reason == "stop", "finish_reason stop")
    streamed = "".join(c.choices[0].text for c in
                       complete(max_tokens=12, stop=[stop, "\x00"], stream=True,
                                extra_body={"ignore_eos": True}) if c.choices)
    check(streamed == cut.choices[0].text, "also streamed")
    held = "".join(c.choices[0].text for c in
                   complete(max_tokens=12, stop=text[-1] + "never", stream=True,
                            extra_body={"ignore_eos": True}) if c.choices)
    check(held == text, "held-back text comes out at the end")
    long = complete(max_tokens=20, extra_body={"ignore_eos": True})
    check(long.usage.completion_tokens == 20, "ignore_eos")
    least = chat(max_tokens=30, extra_body={"min_tokens": 30})
    check(least.usage.completion_tokens == 30, "min_tokens")
    biased = complete(max_tokens=3, logit_bias={"100": 100})
    forced = complete(max_tokens=3, prompt=[100, 100, 100], echo=True).choices[0].text
    check(forced.startswith(biased.choices[0].text), "logit_bias of 100 forces a token")
    free = {"temperature": 1.5, "seed": 3, "max_tokens": 8}
    check(complete(**free, extra_body={"top_k": 1}).choices[0].text ==
          complete(max_tokens=8).choices[0].text, "top_k 1 is greedy")
    check(complete(**free, extra_body={"min_p": 1.0}).choices[0].text ==
          complete(max_tokens=8).choices[0].text, "min_p 1 is greedy")
    check(complete(**free, top_p=1e-6).choices[0].text ==
          complete(max_tokens=8).choices[0].text, "a tiny top_p is greedy")


def test_queue_fields():
    best = complete(best_of=3, n=2, seed=1, temperature=1, max_tokens=4, extra_body={"ignore_eos": True})
    check([c.index for c in best.choices] == [0, 1], "best_of returns n choices")
    check(best.usage.completion_tokens == 12, "the tokens of all count")
    again = chat(user="someone", extra_body={"priority": -1, "timeout_s": 60})
    check(len(again.choices) == 1, "user, priority and timeout_s are taken")
    repeated = complete(prompt="The quick brown fox jumps over the lazy dog. " * 8, max_tokens=1)
    repeated = complete(prompt="The quick brown fox jumps over the lazy dog. " * 8, max_tokens=1)
    cached = repeated.usage.prompt_tokens_details.cached_tokens
    check(0 < cached < repeated.usage.prompt_tokens, f"cached_tokens of a repeated prompt: {cached}")
    begin = time.monotonic()
    slow = {"max_tokens": 2000, "extra_body": {"ignore_eos": True, "timeout_s": 0.2}}
    try:
        client.with_options(max_retries=2).completions.create(model=MODEL, prompt=PROMPT, **slow)
        check(False, "a limit of 0.2 s did not count")
    except openai.APIStatusError as error:
        check(error.status_code == 408, f"status past the client's limit: {error.status_code}")
        check(time.monotonic() - begin < 2, "the client did not try again by itself")


def test_errors():
    bad, lost = openai.BadRequestError, openai.NotFoundError
    raises(lost, lambda: chat(model="gpt-nothing"), "model", "model_not_found")
    raises(bad, lambda: chat(temperature=3), "temperature", "decimal_above_max_value")
    raises(bad, lambda: chat(messages=[]), "messages", "empty_array")
    raises(bad, lambda: chat(messages=[{"role": "user", "content": 5}]), "messages[0].content",
           "invalid_type")
    raises(bad, lambda: chat(tools=[{"type": "function", "function": {"name": "f"}}]), "tools",
           "unsupported_parameter")
    raises(bad, lambda: chat(response_format={"type": "json_object"}), "response_format",
           "unsupported_parameter")
    raises(bad, lambda: chat(store=True), "store", "unsupported_parameter")
    raises(bad, lambda: chat(extra_body={"no_such_field": 1}), "no_such_field",
           "unknown_parameter")
    raises(bad, lambda: chat(top_logprobs=2), "top_logprobs")
    raises(bad, lambda: chat(n=0), "n", "integer_below_min_value")
    raises(bad, lambda: chat(stream_options={"include_usage": True}), "stream_options")
    raises(bad, lambda: complete(logprobs=6), "logprobs", "integer_above_max_value")
    raises(bad, lambda: complete(best_of=2, n=3), "best_of", "invalid_value")
    raises(bad, lambda: complete(best_of=3, stream=True), "best_of", "invalid_value")
    raises(bad, lambda: complete(prompt=[1, 10**8]), "prompt[1]", "invalid_token_id")
    raises(bad, lambda: complete(max_tokens=10**6), "prompt", "context_length_exceeded")
    raises(bad, lambda: chat(max_tokens=10**6), "messages", "context_length_exceeded")
    check(chat(user="me", metadata={"a": "b"}, store=False, service_tier="auto").choices != [],
          "fields that change nothing are taken")


def test_plain_http():
    status, headers, body = raw("GET", "/health")
    check(status == 200 and json.loads(body)["status"] == "ok", "health")
    check(headers.get("X-Request-Id", "") != "", "X-Request-Id")
    status, headers, body = raw("HEAD", "/v1/models")
    check(status == 200 and body == b"" and int(headers["Content-Length"]) > 0, "HEAD")
    status, headers, _ = raw("DELETE", "/v1/models")
    check(status == 405 and headers.get("Allow") == "GET, HEAD", "405 with Allow")
    status, _, body = raw("GET", "/nowhere")
    check(status == 404 and "error" in json.loads(body), "404 in the envelope")
    status, body = raw_json("/v1/chat/completions", '{"model": ')
    check(status == 400 and body["error"]["type"] == "invalid_request_error", "broken JSON")
    check(set(body["error"]) == {"message", "type", "param", "code"}, "the envelope's four fields")
    status, body = raw_json("/v1/completions", b'{"model":"\xff","prompt":"x"}')
    check(status == 400, "a body that is no UTF-8")
    status, body = raw_json("/v1/completions", "[" * 1000)
    check(status == 400, "a body nested too deep")
    status, body = raw_json("/v1/completions", {"prompt": "x"})
    check(status == 400 and body["error"]["param"] == "model", "no model named")
    status, _, _ = raw("POST", "/v1/completions", "a=b",
                       {"Content-Type": "application/x-www-form-urlencoded"})
    check(status == 415, "a form is no JSON")
    connection = http.client.HTTPConnection(HOST, PORT, timeout=60)
    connection.request("GET", "/health")
    connection.getresponse().read()
    first = connection.sock
    chunks = [b'{"model":', json.dumps(MODEL).encode(), b',"prompt":"x","max_tokens":1}']
    connection.request("POST", "/v1/completions", iter(chunks),
                       {"Content-Type": "application/json"}, encode_chunked=True)
    check(connection.getresponse().read().startswith(b"{"), "a chunked request")
    check(connection.sock is first, "the connection is kept")
    connection.close()


def test_disconnect():
    """A client that goes away frees the engine: the next answer does not wait for its tokens."""
    body = json.dumps({"model": MODEL, "prompt": PROMPT, "max_tokens": 2000, "ignore_eos": True})
    began = time.monotonic()
    complete(max_tokens=4)
    usual = time.monotonic() - began
    for _ in range(2):
        with socket.create_connection((HOST, PORT)) as gone:
            gone.sendall((f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: "
                          f"{len(body)}\r\n\r\n{body}").encode())
            time.sleep(0.3)
    began = time.monotonic()
    complete(max_tokens=4)
    check(time.monotonic() - began < usual + 2.0, "generation stopped with its client")


for name, test in sorted((n, t) for n, t in list(globals().items()) if n.startswith("test_")):
    before = passed, len(failures)
    try:
        test()
    except Exception as error:  # noqa: BLE001: counts as a failure, and the rest still runs
        check(False, f"{name}: {type(error).__name__}: {error}")
    print(f"{name}: {passed - before[0]} passed, {len(failures) - before[1]} failed")
print(f"openai_client_test: {passed} checks passed, {len(failures)} failed")
sys.exit(1 if failures else 0)
