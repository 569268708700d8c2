"""`hangar models pull` against a hub that fails in every way (faulty_hub.py)."""
import json
import os
import signal
import subprocess
import time

from faulty_hub import Cut, Fault, FaultyHub, Status
from harness import check, check_equal
from hub_support import (QUICK, TOKEN, check_nothing_final, check_whole, folder_of, names, pull, settings,
                         shard_names, shards, store, tree_below, wait_for_bytes)


def test_pull_a_repository(context):
    with FaultyHub() as hub:
        settings(context, hub, HF_TOKEN=TOKEN)
        files = shards(hub)
        others = {"pytorch_model.bin": hub.bytes(50_000), ".gitattributes": b"*", "logo.png": b"png"}
        commit = hub.add("org/name", {**files, **others}, refs=("main", "v1.0"))
        done = pull(context, "hf:org/name")
        check_equal(done.stdout, b"name\n", "the model's name")
        check_whole(context, commit, files)
        check_equal(sum(hub.served[path] for path in others), 0, "bytes of what is not wanted")
        check("name" in names(context), f"not listed: {names(context)}")
        listed = json.loads(context.expect(0, "models", "--json").stdout)
        source, = [one["source"] for one in listed if one["id"] == "name"]
        check_equal(source, f"hf:org/name@{commit[:12]}", "source")

        # Again: the hub is asked which commit it is, and sends no file.
        before = dict(hub.served)
        done = pull(context, "hf:org/name")
        check(b"is here already" in done.stderr, f"{done.stderr}")
        pull(context, "hf:org/name@v1.0")
        check_equal(dict(hub.served), before, "bytes served again")
        asked = len(hub.requests)
        pull(context, f"hf:org/name@{commit}")
        pull(context, "hf:org/name@v1.0", env={"HF_HUB_OFFLINE": "1"})
        check_equal(len(hub.requests), asked, "requests for what cannot have changed")
        done = pull(context, "hf:org/other", code=8, env={"HF_HUB_OFFLINE": "1"})
        check(b"HF_HUB_OFFLINE" in done.stderr, f"{done.stderr}")
        check_equal(len(hub.requests), asked, "requests while offline")


def test_the_token_goes_to_the_hub_only(context):
    with FaultyHub() as hub:
        settings(context, hub, HF_TOKEN=TOKEN)
        files = shards(hub)
        hub.add("org/name", files, token=TOKEN)
        hub.fail(shard_names(files)[0], Fault(status=503))
        done = pull(context, "hf:org/name")
        seen = {True: set(), False: set()}
        for one in hub.requests:
            seen[one["port"] == hub.hub.server_port].add(one.get("authorization"))
        check_equal(seen[True], {f"Bearer {TOKEN}"}, "what the hub got")
        check_equal(seen[False], {None}, "what the other host got")
        hub.add("org/gated", files, gated=True)
        failed = pull(context, "hf:org/gated", code=2)
        hub.fail("api:tree", *[Status(500)] * 9)
        broken = pull(context, "hf:org/name@main", "--verify", "--retries", "1", code=8)
        hub.faults.clear()
        for text in (done.stdout, done.stderr, failed.stderr, broken.stderr):
            check(TOKEN.encode() not in text and b"SECRET" not in text, f"a secret is shown: {text}")
        for path, content in tree_below(store(context)).items():
            check(TOKEN.encode() not in content, f"the token lies in {path}")

        # From its file, as the hub's own tools leave it; no token is fine where none is needed.
        del context.environment["HF_TOKEN"]
        done = pull(context, "hf:org/name@main", "--verify", code=3)
        check(b"HF_TOKEN" in done.stderr, f"no word of a token: {done.stderr}")
        where = os.path.join(context.environment["XDG_CACHE_HOME"], "huggingface")
        os.makedirs(where)
        with open(os.path.join(where, "token"), "w", encoding="ascii") as file:
            file.write(TOKEN + "\n")
        pull(context, "hf:org/name@main")


def test_cuts_cost_no_byte_twice(context):
    with FaultyHub(seed=7) as hub:
        settings(context, hub)
        files = shards(hub, count=4, size=400_000)
        commit = hub.add("org/name", files)
        for path in shard_names(files):
            hub.fail(path, *[Cut(hub.random.randrange(1, 90_000)) for _ in range(4)])
        hub.fail("config.json", Cut(5), Cut(3))
        done = pull(context, "hf:org/name", "--jobs", "2")
        check_whole(context, commit, files)
        for path in shard_names(files):
            check_equal(hub.served[path], len(files[path]), f"bytes served of {path}")
            starts = [one.get("range") for one in hub.asked(path) if one["port"] == hub.store.server_port]
            check_equal(len(starts), 5, f"requests for {path}")
            check(all(start for start in starts[1:]), f"ranges of {path}: {starts}")
        check(hub.most_active <= 2, f"{hub.most_active} at once, of 2")
        check(b"trying again" in done.stderr, f"{done.stderr}")


def test_every_fault_at_once(context):
    """Whatever happens, in the end all files are right, or there is a clear error and no model."""
    served = right = wrong = 0
    for seed in range(6):
        with FaultyHub(seed=seed) as hub:
            settings(context, hub, HF_HUB_DOWNLOAD_TIMEOUT="1")
            repo = f"org/name{seed}"
            files = shards(hub, count=3, size=200_000)
            commit = hub.add(repo, files)
            hub.page_size = 3
            pick = hub.random
            hub.fail("api:revision", *[Status(503)] * pick.randrange(3))
            hub.fail("api:tree", *[Status(pick.choice((429, 500, 502, 504)))] * pick.randrange(3))
            kinds = (
                lambda: Cut(pick.randrange(200_000)),
                lambda: Fault(cut=pick.randrange(200_000), reset=True),
                lambda: Status(pick.choice((429, 500, 503))),
                lambda: Status(429, Retry_After="1"),
                lambda: Fault(no_range=True, cut=pick.randrange(200_000)),
                lambda: Fault(etag='"another"', cut=pick.randrange(200_000)),
                lambda: Fault(range_start=1),
                lambda: Fault(flip=pick.randrange(200_000)),
                lambda: Fault(length=pick.choice((-5, 9))),
                lambda: Fault(etag='W/"weak"', cut=1000),
            )
            for path in shard_names(files):
                hub.fail(path, *[pick.choice(kinds)() for _ in range(5)])
            if seed == 0:
                hub.fail(shard_names(files)[0], Fault(stall=(10_000, 3)))
            done = context.run("models", "pull", f"hf:{repo}", "--retry-wait", "0.01", "--retries", "8")
            if done.returncode == 0:
                right += 1
                check_whole(context, commit, files, repo=repo)
            else:
                wrong += 1
                check(b"hangar: error: " in done.stderr, f"{done}")
                check_nothing_final(context, repo)
                hub.faults.clear()
                pull(context, f"hf:{repo}")
                check_whole(context, commit, files, repo=repo)
            served += sum(hub.served.values())
            pull_left = [name for name in os.listdir(os.path.dirname(folder_of(context, commit, repo)))
                         if name != commit[:12]]
            check_equal(pull_left, [], "what is left beside the model")
            context.expect(0, "models", "rm", f"hf:{repo}", "--yes")
    return f"{right} right at once, {wrong} with an error first, {served / 1e6:.1f} MB served"


def test_a_wrong_hash_is_fetched_once_more_then_an_error(context):
    with FaultyHub() as hub:
        settings(context, hub)
        files = shards(hub)
        commit = hub.add("org/name", files)
        shard = shard_names(files)[1]
        hub.fail(shard, Fault(flip=123))
        hub.fail("config.json", Fault(flip=3))
        pull(context, "hf:org/name")
        check_whole(context, commit, files)
        check_equal(hub.served[shard], 2 * len(files[shard]), "bytes served")
        context.expect(0, "models", "rm", "hf:org/name", "--yes")

        hub.always[shard] = Fault(flip=123)
        before = hub.served[shard]
        done = pull(context, "hf:org/name", code=5)
        check(shard.encode() in done.stderr and b"SHA-256" in done.stderr, f"{done.stderr}")
        check_equal(hub.served[shard] - before, 2 * len(files[shard]), "bytes served")
        check_nothing_final(context)
        del hub.always[shard]
        pull(context, "hf:org/name")
        check_whole(context, commit, files)


def test_wrong_lengths_and_ranges(context):
    with FaultyHub() as hub:
        settings(context, hub)
        files = shards(hub, count=5)
        commit = hub.add("org/name", files)
        one, two, three, four, five = shard_names(files)
        hub.fail(one, Fault(length=100))
        hub.fail(two, Fault(length=-100))
        hub.fail(three, Cut(100_000), Fault(no_range=True))
        hub.fail(four, Cut(100_000), Fault(etag='"new"'))
        hub.fail(five, Cut(100_000), Fault(range_start=7))
        pull(context, "hf:org/name")
        check_whole(context, commit, files)
        check_equal(hub.served[three], 100_000 + len(files[three]), "bytes without ranges")
        condition = hub.asked(four)[-1].get("if-range")
        check(condition and condition.startswith('"store-'), f"If-Range: {condition}")
        check_equal(hub.served[four], 100_000 + len(files[four]), "bytes of a changed version")

        hub.always[one] = Fault(length=1)
        context.expect(0, "models", "rm", "name", "--yes")
        done = pull(context, "hf:org/name", code=5)
        check(str(len(files[one])).encode() in done.stderr, f"{done.stderr}")
        check_nothing_final(context)


def test_retry_after_is_waited_for(context):
    with FaultyHub() as hub:
        settings(context, hub)
        files = shards(hub, count=1)
        commit = hub.add("org/name", files)
        shard = shard_names(files)[0]
        hub.fail(shard, Status(429, Retry_After="1"))
        begin = time.monotonic()
        pull(context, "hf:org/name")
        check(1 <= time.monotonic() - begin < 5, f"waited {time.monotonic() - begin:.2f} s")
        check_whole(context, commit, files)
        hub.fail("api:revision", Status(429, Retry_After="86400"))
        begin = time.monotonic()
        done = pull(context, "hf:org/name@main", code=8)
        check(time.monotonic() - begin < 3 and b"429" in done.stderr, f"{done.stderr}")
        # Given up on after the retries, and quickly where nobody answers at all.
        hub.always["api:revision"] = Status(503)
        asked = len(hub.requests)
        pull(context, "hf:org/name", "--retries", "3", code=8)
        check_equal(len(hub.requests) - asked, 4, "requests")
        done = pull(context, "hf:org/name", "--endpoint", "http://127.0.0.1:1", code=8)
        check(b"127.0.0.1:1" in done.stderr, f"{done.stderr}")
        pull(context, "hf:org/name", "--endpoint", hub.store_url, code=3)
        pull(context, "hf:org/name", "--endpoint", "nonsense", code=2)


def test_a_line_that_stands_still_is_tried_again(context):
    with FaultyHub() as hub:
        settings(context, hub, HF_HUB_DOWNLOAD_TIMEOUT="1")
        files = shards(hub, count=1)
        commit = hub.add("org/name", files)
        hub.fail(shard_names(files)[0], Fault(stall=(70_000, 30)))
        begin = time.monotonic()
        done = pull(context, "hf:org/name")
        check(time.monotonic() - begin < 10, "waited for a server that sends nothing")
        check(b"nothing came for too long" in done.stderr, f"{done.stderr}")
        check_whole(context, commit, files)


def test_interrupted_pulls_go_on(context):
    with FaultyHub() as hub:
        settings(context, hub)
        files = shards(hub, count=2, size=2_000_000)
        commit = hub.add("org/name", files)
        slow, other = shard_names(files)
        for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
            hub.fail(slow, Fault(pause=0.05))
            begun = hub.served[slow]
            process = context.start("models", "pull", "hf:org/name", *QUICK)
            wait_for_bytes(hub, slow, begun + 300_000)
            process.send_signal(number)
            _, words = process.communicate(timeout=20)
            check_equal(process.returncode, code, f"exit code after {number}")
            check(number == signal.SIGKILL or b"kept" in words, f"{words}")
            check_nothing_final(context)
            check(b"unfinished: hf:org/name" in context.expect(0, "models").stderr, "no word of it")
        part = os.path.getsize(os.path.join(folder_of(context, commit) + ".partial", slow + ".part"))
        check(part >= 500_000, f"only {part} bytes kept")
        asked = len(hub.asked(slow))
        time.sleep(0.2)  # until the servers of the dead have noticed
        hub.served.clear()
        pull(context, "hf:org/name")
        check_equal(hub.asked(slow)[asked + 1].get("range"), f"bytes={part}-", "range asked for")
        check_equal(hub.served[slow], len(files[slow]) - part, "bytes of the second half")
        check_equal(hub.served[other], 0, "bytes of what was whole")
        check_whole(context, commit, files)


def test_two_pulls_at_once(context):
    with FaultyHub() as hub:
        settings(context, hub)
        files = shards(hub, count=2, size=1_000_000)
        commit = hub.add("org/name", files)
        shard = shard_names(files)[0]
        hub.fail(shard, Fault(pause=0.05))
        first = context.start("models", "pull", "hf:org/name", *QUICK)
        wait_for_bytes(hub, shard, 100_000)
        refused = context.expect(8, "models", "rm", "hf:org/name", "--yes")
        check(b"uses it" in refused.stderr, f"{refused.stderr}")
        second = context.start("models", "pull", "hf:org/name", *QUICK)
        for process, words in ((first, b"is here"), (second, b"waiting for it")):
            out, err = process.communicate(timeout=30)
            check_equal((process.returncode, out), (0, b"name\n"), "exit and name")
            check(words in err, f"{err}")
        check_whole(context, commit, files)
        check_equal({path: hub.served[path] for path in shard_names(files)},
                    {path: len(files[path]) for path in shard_names(files)}, "bytes served")


def test_pages_of_files(context):
    with FaultyHub() as hub:
        settings(context, hub)
        files = shards(hub, count=12, size=11_000)
        commit = hub.add("org/name", files)
        hub.page_size = 2
        pull(context, "hf:org/name")
        check_whole(context, commit, files)
        hub.link_host = "http://127.0.0.1:1"
        done = pull(context, "hf:org/name@main", "--verify", code=5)
        check(b"another host" in done.stderr, f"{done.stderr}")


def test_what_may_not_be_had(context):
    with FaultyHub() as hub:
        settings(context, hub)
        files = shards(hub)
        hub.add("org/gated", files, gated=True)
        hub.add("org/private", files, token=TOKEN)
        hub.add("org/name", files)
        cases = (
            ("hf:org/gated", 2, (b"licence", b"HF_TOKEN")),
            ("hf:org/private", 3, (b"HF_TOKEN",)),
            ("hf:org/absent", 3, (b"no such repository",)),
            ("hf:org/name@v9", 3, (b"no such branch",)),
            ("hf:org/name/absent.gguf", 3, (b"no such GGUF file",)),
            ("hf:org/name:Q4_K_M", 3, (b"no GGUF file",)),
            ("hf:org", 2, (b"hf:org/name",)),
            ("org/name", 3, (b"hangar models pull hf:org/name",)),
        )
        for name, code, words in cases:
            asked = len(hub.requests)
            done = pull(context, name, code=code)
            for word in words:
                check(word in done.stderr, f"{name}: {done.stderr}")
            check(len(hub.requests) - asked <= 6, f"{name}: tried again in vain")
        check_equal(os.path.exists(os.path.join(store(context), "hf")), False, "anything left")
        # Listed but not there, and not even listed.
        shard = shard_names(files)[2]
        hub.always[shard] = Status(404, X_Error_Code="EntryNotFound")
        done = pull(context, "hf:org/name", code=3)
        check(shard.encode() in done.stderr, f"{done.stderr}")
        check_nothing_final(context)
        hub.add("org/short", {path: files[path] for path in files if path != shard})
        done = pull(context, "hf:org/short", code=5)
        check(b"lacks " + shard.encode() in done.stderr, f"{done.stderr}")
        hub.add("org/pickle", {"config.json": b"{}", "pytorch_model.bin": hub.bytes(20_000)})
        done = pull(context, "hf:org/pickle", code=4)
        check(b"run the code inside" in done.stderr and hub.served["pytorch_model.bin"] == 0,
              f"{done.stderr}")


def test_no_file_leaves_its_folder(context):
    for path in ("../../../evil.json", "/evil.json", "a/../../evil.json", "a\\b.json",
                 "x\u0000.json", "new\nline.json"):
        with FaultyHub() as hub:
            settings(context, hub)
            hub.add("org/name", shards(hub))
            hub.extra_tree = [{"type": "file", "path": path, "oid": "a" * 40, "size": 4}]
            done = pull(context, "hf:org/name", code=5)
            check(b"is refused" in done.stderr, f"{path!r}: {done.stderr}")
            check_equal(os.path.exists(os.path.join(store(context), "hf")), False, "anything written")


def test_no_room(context):
    with FaultyHub() as hub:
        settings(context, hub)
        files = shards(hub, count=2, size=3_000_000)
        commit = hub.add("org/name", files)
        shard = shard_names(files)[0]
        hub.lies[shard] = 1 << 52
        done = pull(context, "hf:org/name", code=7)
        check(b"are needed" in done.stderr and b"are free" in done.stderr, f"{done.stderr}")
        check_equal(sum(hub.served.values()), 0, "bytes served before")
        check_equal(os.path.exists(os.path.join(store(context), "hf")), False, "anything left")
        hub.lies.clear()

        # A disk that fills up on the way: a small one of our own, where that is allowed.
        small = os.path.join(context.scratch, "small")
        os.mkdir(small)
        mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", small]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            return "no tmpfs can be mounted here: only the check before was tested"
        try:
            context.environment["XDG_CACHE_HOME"] = small
            hub.fail(shard, Fault(pause=0.02))
            process = context.start("models", "pull", "hf:org/name", *QUICK)
            wait_for_bytes(hub, shard, 200_000)
            with open(os.path.join(small, "filler"), "wb") as filler:
                try:
                    while True:
                        filler.write(bytes(1 << 16))
                        filler.flush()
                except OSError:
                    pass
            _, words = process.communicate(timeout=30)
            check_equal(process.returncode, 7, f"exit code; {words}")
            check(b"No space left" in words, f"{words}")
            check(not os.path.exists(folder_of(context, commit)), "half a model has its name")
            os.unlink(os.path.join(small, "filler"))
            pull(context, "hf:org/name")
            check_whole(context, commit, files)
            # What is here already needs no room again.
            check_equal(context.expect(0, "models", "verify", "name").returncode, 0, "verify")
        finally:
            subprocess.run(["umount", "-l", small], check=False)
    return None


def test_a_proxy_is_used(context):
    with FaultyHub() as hub:
        settings(context, hub)
        files = {"config.json": b"{}", "model.safetensors": hub.bytes(5_000)}
        commit = hub.add("org/name", files)
        pull(context, "hf:org/name", env={"HF_ENDPOINT": "http://hub.invalid", "http_proxy": hub.url})
        check_whole(context, commit, files)
        check(hub.requests[0]["line"].startswith("http://hub.invalid/api/"), f"{hub.requests[0]}")
