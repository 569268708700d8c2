#!/usr/bin/env python3
"""Asks a running server over pooled keep-alive connections, as real clients do, and counts what failed.

  python3 tools/pooled_clients.py http://127.0.0.1:8000 --requests 10000

Clients: the official openai client (threads over one pool), aiohttp (one session) and wrk; each asks
half of its requests streamed and half not. No client tries anything twice: a connection that the
server closes at the wrong moment is a failure here. Prints a table and, last, "N passed, N failed";
the exit code is 1 if anything failed. wrk is left out, with a word, where it is not installed.
"""
import argparse
import asyncio
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import aiohttp
import openai

WRK_SCRIPT = """
local headers = {["Content-Type"] = "application/json"}
local count = 0
local bad = 0
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args)
  whole = wrk.format("POST", PATH, headers, BODY_WHOLE)
  streamed = wrk.format("POST", PATH, headers, BODY_STREAMED)
  bad_answers = 0
end
function request()
  count = count + 1
  if count % 2 == 0 then return whole end
  return streamed
end
function response(status, head, body)
  local done = string.find(body, "data: [DONE]", 1, true) or string.find(body, '"usage"', 1, true)
  if status ~= 200 or not done then bad_answers = bad_answers + 1 end
end
function done(summary, latency, requests)
  local wrong = 0
  for _, thread in ipairs(threads) do wrong = wrong + thread:get("bad_answers") end
  local e = summary.errors
  io.write(string.format("RESULT %d %d\\n", summary.requests,
                         wrong + e.connect + e.read + e.write + e.timeout))
end
"""


class Tally:
    def __init__(self, client, mode):
        self.client, self.mode = client, mode
        self.asked = self.failed = 0
        self.connections = None
        self.seconds = 0.0
        self.first_failure = ""
        self.lock = threading.Lock()

    def add(self, failure=None):
        with self.lock:
            self.asked += 1
            if failure is not None:
                self.failed += 1
                self.first_failure = self.first_failure or failure

    def row(self):
        rate = f"{self.asked / self.seconds:.0f}" if self.seconds else "-"
        connections = "-" if self.connections is None else str(self.connections)
        return (self.client, self.mode, str(self.asked), str(self.failed), connections, rate)


def body(options, stream):
    return {"model": options.model, "max_tokens": options.max_tokens, "temperature": 0, "stream": stream,
            "messages": [{"role": "user", "content": "Say hello."}]}


def run_openai(options, stream, requests):
    tally = Tally("openai", "streamed" if stream else "whole")
    client = openai.OpenAI(base_url=options.url + "/v1", api_key="none", max_retries=0, timeout=300)
    left = iter(range(requests))

    def ask():
        answer = client.chat.completions.create(**body(options, stream))
        if stream:
            return [chunk.choices[0].finish_reason for chunk in answer if chunk.choices][-1]
        return answer.choices[0].finish_reason

    def work():
        while True:
            with tally.lock:
                if next(left, None) is None:
                    return
            try:
                reason = ask()
                tally.add(None if reason in ("stop", "length") else f"finish_reason {reason!r}")
            except Exception as error:  # noqa: BLE001: whatever it is, the request has failed
                tally.add(f"{type(error).__name__}: {error}")
            time.sleep(random.uniform(0, options.pause))

    threads = [threading.Thread(target=work) for _ in range(options.connections)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tally.seconds = time.monotonic() - begin
    client.close()
    return tally


async def run_aiohttp(options, stream, requests):
    tally = Tally("aiohttp", "streamed" if stream else "whole")
    tally.connections = 0

    async def created(_session, _context, _parameters):
        tally.connections += 1

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(created)
    connector = aiohttp.TCPConnector(limit=options.connections)
    left = iter(range(requests))
    async with aiohttp.ClientSession(connector=connector, trace_configs=[trace]) as session:

        async def ask():
            async with session.post(options.url + "/v1/chat/completions",
                                    json=body(options, stream)) as answer:
                text = (await answer.read()).decode()
                if answer.status != 200:
                    return f"status {answer.status}: {text[:200]}"
                if stream:
                    return None if text.endswith("data: [DONE]\n\n") else f"it ends with {text[-80:]!r}"
                json.loads(text)["choices"][0]["message"]["content"]
                return None

        async def work():
            while next(left, None) is not None:
                try:
                    tally.add(await ask())
                except Exception as error:  # noqa: BLE001
                    tally.add(f"{type(error).__name__}: {error}")
                await asyncio.sleep(random.uniform(0, options.pause))

        begin = time.monotonic()
        await asyncio.gather(*(work() for _ in range(options.connections)))
        tally.seconds = time.monotonic() - begin
    return tally


def run_wrk(options, requests):
    tally = Tally("wrk", "both")
    path = "/v1/chat/completions"
    values = {"PATH": path, "BODY_WHOLE": json.dumps(body(options, False)),
              "BODY_STREAMED": json.dumps(body(options, True))}
    head = "".join(f"local {name} = {json.dumps(value)}\n" for name, value in values.items())
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(head + WRK_SCRIPT)
        script.flush()
        begin = time.monotonic()
        while tally.asked < requests:
            command = ["wrk", "-t1", f"-c{options.connections}", "-d5s", "--timeout", "120s",
                       "-s", script.name, options.url]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            found = re.search(r"RESULT (\d+) (\d+)", done.stdout)
            if not found:
                tally.add("wrk: " + (done.stderr or done.stdout)[-300:])
                break
            asked, failed = int(found[1]), int(found[2])
            tally.asked += asked
            tally.failed += failed
            if failed:
                tally.first_failure = " ".join(done.stdout.split())[-300:]
            if asked == 0:
                tally.add("wrk got no answer within 5 s")
                break
        tally.seconds = time.monotonic() - begin
    return tally


def table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) if i < 2 else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("url", help="the server, without /v1")
    parser.add_argument("--requests", type=int, default=10_000, help="in all (10000)")
    parser.add_argument("--connections", type=int, default=16, help="of each client's pool (16)")
    parser.add_argument("--max-tokens", type=int, default=4, help="of each answer (4)")
    parser.add_argument("--model", default="", help="default: the first the server has")
    parser.add_argument("--pause", type=float, default=0.0,
                        help="each connection rests up to so many seconds between two requests (0)")
    options = parser.parse_args()
    options.url = options.url.rstrip("/")
    if not options.model:
        with urllib.request.urlopen(options.url + "/v1/models", timeout=30) as answer:
            options.model = json.load(answer)["data"][0]["id"]

    has_wrk = shutil.which("wrk") is not None
    share = -(-options.requests // (5 if has_wrk else 4))
    tallies = []
    for stream in (False, True):
        tallies.append(run_openai(options, stream, share))
        tallies.append(asyncio.run(run_aiohttp(options, stream, share)))
    if has_wrk:
        tallies.append(run_wrk(options, share))
    table([("CLIENT", "ANSWERS", "REQUESTS", "FAILED", "CONNECTIONS", "PER SECOND")]
          + [tally.row() for tally in tallies])
    if not has_wrk:
        print("wrk was left out: it is not installed (Debian: apt-get install wrk)")
    for tally in tallies:
        if tally.failed:
            print(f"{tally.client}, {tally.mode}: the first failure: {tally.first_failure}")
    asked, failed = (sum(getattr(tally, name) for tally in tallies) for name in ("asked", "failed"))
    print(f"{asked - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
