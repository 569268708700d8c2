"""What `hangar models pull` brought, under all its names: list, choose, verify, repair, remove."""
import hashlib
import json
import os
import re
import shutil

from faulty_hub import Fault, FaultyHub, Status
from harness import Terminal, check, check_equal
from hub_support import (TINY, check_whole, folder_of, names, pull, settings, shard_names, shards,
                         store)


def test_help_has_examples(context):
    for command in ("pull", "rm", "verify"):
        text = context.expect(0, "models", command, "--help").stdout.decode()
        check("Examples:" in text, f"models {command}: --help without examples")
        if command != "verify":
            context.expect(2, "models", command)
    context.expect(2, "models", "pull", "hf:org/name", "--jobs", "0")


def test_gguf_quantizations(context):
    with open(TINY, "rb") as file:
        tiny = file.read()
    with FaultyHub() as hub:
        settings(context, hub)
        files = {"Tiny-Q4_0.gguf": tiny, "Tiny-F16.gguf": tiny + b"\0" * 32, "LICENSE": b"free",
                 "mmproj-Tiny-F16.gguf": tiny, "config.json": b"{}"}
        commit = hub.add("org/tiny-GGUF", files)
        done = pull(context, "hf:org/tiny-GGUF", code=2)
        check(b"Tiny-Q4_0.gguf" in done.stderr and b"B  " in done.stderr and b"mmproj" not in done.stderr,
              f"{done.stderr}")
        check_equal(pull(context, "hf:org/tiny-GGUF:q4_0").stdout, b"tiny\n", "name")
        check_whole(context, commit, {path: files[path] for path in ("Tiny-Q4_0.gguf", "LICENSE")},
                    repo="org/tiny-GGUF", variant="Tiny-Q4_0")
        pull(context, "hf:org/tiny-GGUF/Tiny-F16.gguf", "--alias", "Mine")
        check_equal([name for name in names(context) if "smollm2" not in name], ["mine", "tiny"], "names")
        for name in ("hf:org/tiny-GGUF:Q4_0", "hf:org/tiny-GGUF/Tiny-Q4_0.gguf", "tiny", "TINY-Q4_0",
                     f"hf:org/tiny-GGUF@{commit[:9]}:Q4_0"):
            report = json.loads(context.expect(0, "models", "inspect", name, "--json").stdout)
            check(report["files"][0].endswith("Tiny-Q4_0.gguf"), f"{name}: {report['files']}")
        done = context.expect(2, "models", "inspect", "hf:org/tiny-GGUF")
        check(b"Tiny-F16.gguf" in done.stderr, f"{done.stderr}")
        done = context.expect(3, "tokenize", "--model", "hf:org/tiny-GGUF:Q8_0")
        check(b"hangar models pull hf:org/tiny-GGUF:Q8_0" in done.stderr, f"{done.stderr}")
        done = context.expect(3, "tokenize", "--model", "absent-model")
        check(b"hangar models pull" in done.stderr, f"{done.stderr}")
        done = pull(context, "hf:org/tiny-GGUF:Q4_0", "--alias", "mine2")
        check_equal(done.stdout, b"mine2\n", "alias of what is here")
        done = pull(context, "hf:org/tiny-GGUF:Q4_0", "--alias", "smollm2-135m-instruct", code=2)
        check(b"another model" in done.stderr, f"{done.stderr}")


def test_revisions_lie_side_by_side(context):
    with FaultyHub() as hub:
        settings(context, hub)
        old = shards(hub)
        first = hub.add("org/name", old, refs=("main", "v1"))
        pull(context, "hf:org/name")
        new = {**old, "config.json": b'{"new": 1}', shard_names(old)[0]: hub.bytes(300_000)}
        second = hub.add("org/name", new, refs=("main", "refs/pr/1", "feature/x"))
        hub.served.clear()
        check_equal(pull(context, "name").stdout, b"name\n", "an update by the model's name")
        check_whole(context, second, new)
        check_whole(context, first, old)
        changed = [path for path in shard_names(old) if old[path] != new[path]]
        check_equal({path: hub.served[path] for path in shard_names(old) if hub.served[path]},
                    {path: 300_000 for path in changed}, "bytes served: what is new")
        listed = [name for name in names(context) if "smollm2" not in name]
        check_equal(sorted(listed), ["name", f"name@{first[:7]}"], "names")
        pull(context, "hf:org/name@refs/pr/1")
        pull(context, "hf:org/name", "--revision", "feature/x")
        done = context.expect(0, "models", "verify", f"hf:org/name@{first[:12]}", "--json")
        check(json.loads(done.stdout)[0]["path"].endswith(first[:12]), f"{done.stdout}")
        pull(context, "hf:org/name@v1", "--revision", "v2", code=2)
        context.expect(0, "models", "rm", f"name@{first[:7]}", "--yes")
        check_whole(context, second, new)


def test_filters(context):
    with FaultyHub() as hub:
        settings(context, hub)
        files = {**shards(hub, count=1), "extra/notes.txt": b"notes"}
        commit = hub.add("org/name", files)
        usual = {path: content for path, content in files.items() if "/" not in path}
        pull(context, "hf:org/name", "--exclude", "README*", "--exclude", "*index*")
        check_whole(context, commit, {path: content for path, content in usual.items()
                                      if path[:6] != "README" and "index" not in path})
        hub.served.clear()
        pull(context, "hf:org/name", "--include", "extra/*", "--include", "README.md")
        check_equal(sorted(hub.served), ["README.md", "extra/notes.txt"], "what was fetched")
        pull(context, "hf:org/name")
        check_whole(context, commit, files)
        pull(context, "hf:org/name", "--include", "*.nothing", code=3)


def test_verify_finds_a_flipped_byte_and_pull_repairs_it(context):
    with FaultyHub() as hub:
        settings(context, hub)
        files = shards(hub)
        commit = hub.add("org/name", files)
        pull(context, "hf:org/name")
        check(b"ok" in context.expect(0, "models", "verify", "name").stdout, "verify")
        shard = shard_names(files)[1]
        path = os.path.join(folder_of(context, commit), shard)
        with open(path, "r+b") as file:
            file.seek(1000)
            file.write(bytes([files[shard][1000] ^ 1]))
        asked = len(hub.requests)
        done = context.expect(1, "models", "verify", "name", "--json")
        report, = json.loads(done.stdout)
        check_equal((report["ok"], [one["path"] for one in report["files"] if not one["ok"]]),
                    (False, [shard]), "verdict")
        check(b"hangar models pull hf:org/name@" in done.stderr, f"{done.stderr}")
        done = context.expect(1, "models", "verify")
        check(shard.encode() in done.stdout and b"ok    smollm2" in done.stdout, f"{done.stdout}")
        check_equal(len(hub.requests), asked, "requests of verify")

        repair = re.search(rb"`hangar models pull (\S+)`", context.run("models", "verify", "name").stderr)
        hub.served.clear()
        pull(context, repair.group(1).decode())
        check_equal(dict(hub.served), {shard: len(files[shard])}, "bytes served to repair")
        check_whole(context, commit, files)
        context.expect(0, "models", "verify", "name")
        # Without a verify before: --verify looks for itself; a file that is gone needs neither.
        with open(path, "r+b") as file:
            file.write(b"xxxx")
        hub.served.clear()
        pull(context, "hf:org/name")
        check_equal(dict(hub.served), {}, "bytes served without a look")
        pull(context, "hf:org/name", "--verify")
        os.unlink(os.path.join(folder_of(context, commit), "config.json"))
        pull(context, "hf:org/name")
        check_equal(dict(hub.served), {shard: len(files[shard]), "config.json": len(files["config.json"])},
                    "bytes served")
        check_whole(context, commit, files)

    done = context.expect(0, "models", "verify", context.model, "--json")
    with open(context.model, "rb") as file:
        wanted = hashlib.file_digest(file, "sha256").hexdigest()
    check_equal(json.loads(done.stdout)[0]["files"][0]["sha256"], wanted, "SHA-256 of a plain file")
    bad = os.path.join(context.scratch, "bad.gguf")
    shutil.copy(TINY, bad)
    os.truncate(bad, os.path.getsize(bad) - 100)
    done = context.expect(1, "models", "verify", bad)
    check(b"WRONG" in done.stdout and b"bad.gguf" in done.stdout, f"{done.stdout}")


def test_rm(context):
    with FaultyHub() as hub:
        settings(context, hub)
        commit = hub.add("org/name", shards(hub))
        pull(context, "hf:org/name")
        done = context.expect(2, "models", "rm", "name")
        check(b"--yes" in done.stderr and os.path.isdir(folder_of(context, commit)), f"{done.stderr}")
        done = context.expect(0, "models", "rm", "hf:org/name", "--yes")
        check(b"freed" in done.stdout and b"90" in done.stdout, f"{done.stdout}")
        check_equal(os.path.exists(os.path.join(store(context), "hf")), False, "anything left")
        context.expect(3, "models", "rm", "hf:org/name", "--yes")

        # What an unfinished pull left goes too.
        hub.always["model-00002-of-00003.safetensors"] = Status(404)
        pull(context, "hf:org/name", "--jobs", "1", code=3)
        check(os.path.isdir(folder_of(context, commit) + ".partial"), "nothing was kept")
        context.expect(0, "models", "rm", "hf:org/name", "--yes")
        check_equal(os.path.exists(os.path.join(store(context), "hf")), False, "anything left")
        hub.always.clear()
        pull(context, "hf:org/name")

    # At a terminal it asks.
    for answer, kept in ((b"n\r", True), (b"y\r", False)):
        terminal = Terminal(context, "models", "rm", "name")
        try:
            terminal.wait_for(b"[y/N]")
            terminal.type(answer)
            check_equal(terminal.wait(), 1 if kept else 0, "exit code")
        finally:
            terminal.close()
        check_equal(os.path.isdir(folder_of(context, commit)), kept, f"kept after {answer}")

    # Not outside the store, not what a link points to, and not while it is used.
    outside = os.path.join(context.scratch, "outside.gguf")
    shutil.copy(TINY, outside)
    done = context.expect(2, "models", "rm", outside, "--yes")
    check(b"not in the store" in done.stderr and os.path.exists(outside), f"{done.stderr}")
    with context.server():
        done = context.expect(8, "models", "rm", "smollm2-135m-instruct", "--yes")
        check(b"uses it" in done.stderr, f"{done.stderr}")
    link = os.path.join(store(context), os.path.basename(context.model))
    check(os.path.islink(link), "the test's model is a link")
    done = context.expect(0, "models", "rm", "smollm2-135m-instruct", "--yes")
    check(b"0 B" in done.stdout or b"0 bytes" in done.stdout, f"{done.stdout}")
    check(not os.path.lexists(link) and os.path.isfile(context.model), "the link's target")


def test_progress_is_shown(context):
    with FaultyHub() as hub:
        settings(context, hub)
        files = shards(hub, count=1, size=1_500_000)
        hub.add("org/name", files)
        hub.fail(shard_names(files)[0], Fault(pause=0.05))
        terminal = Terminal(context, "models", "pull", "hf:org/name")
        try:
            shown = terminal.wait_for(b"/s")
            check(b"pulling" in shown and b"%" in shown and b"[" in shown, f"{shown}")
            check_equal(terminal.wait(), 0, "exit code")
        finally:
            terminal.close()
        context.expect(0, "models", "rm", "name", "--yes")
        lines = pull(context, "hf:org/name").stderr.decode()
        check("config.json (39 B)" in lines or "config.json" in lines, lines)
        check("\r" not in lines and "\x1b" not in lines, f"a log gets lines: {lines!r}")


def test_nothing_else_touches_the_network(context):
    with FaultyHub() as hub:
        settings(context, hub)
        context.expect(0, "models")
        context.expect(0, "models", "verify", context.model)
        context.expect(3, "tokenize", "--model", "hf:org/name")
        context.expect(0, "tokenize", stdin="text")
        check_equal(hub.requests, [], "requests")
