"""What the tests of `hangar models pull`, `rm` and `verify` share."""
import hashlib
import json
import os
import time

from harness import check, check_equal

TOKEN = "hf_secretTokenOfTheTests"
QUICK = ("--retry-wait", "0.02")
TINY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "gguf", "tiny_llama.gguf")


def settings(context, hub, **more):
    """The environment of a test: this hub, and nothing of the machine's own."""
    for name in list(context.environment):
        if name.startswith("HF_") or name.lower().endswith("_proxy"):
            del context.environment[name]
    context.environment.update({"HF_ENDPOINT": hub.url, "HF_HUB_DOWNLOAD_TIMEOUT": "20", **more})


def store(context):
    return os.path.join(context.environment["XDG_CACHE_HOME"], "hangar", "models")


def pull(context, *arguments, code=0, **options):
    return context.expect(code, "models", "pull", *arguments, *QUICK, **options)


def names(context):
    return context.expect(0, "models", "--names").stdout.decode().split()


def folder_of(context, commit, repo="org/name", variant=""):
    return os.path.join(store(context), "hf", repo, commit[:12] + ("." + variant if variant else ""))


def tree_below(folder):
    """Every path below a folder, and what is in it."""
    found = {}
    for base, _, files in os.walk(folder):
        for file in files:
            path = os.path.join(base, file)
            with open(path, "rb") as opened:
                found[os.path.relpath(path, folder)] = opened.read()
    return found


def check_whole(context, commit, files, **where):
    """The model's folder holds these files and a manifest that tells of them, and nothing else."""
    found = tree_below(folder_of(context, commit, **where))
    manifest = json.loads(found.pop(".hangar.json"))
    check_equal(sorted(found), sorted(files), "files")
    for path, content in files.items():
        check(found[path] == content, f"{path} has other contents")
    told = {file["path"]: (file["bytes"], file["sha256"]) for file in manifest["files"]}
    check_equal(told, {path: (len(content), hashlib.sha256(content).hexdigest())
                       for path, content in files.items()}, "manifest")
    check_equal(manifest["commit"], commit, "commit")


def check_nothing_final(context, repo="org/name"):
    """Nothing has a final name; a pull that is not finished may lie there."""
    folder = os.path.join(store(context), "hf", repo)
    left = os.listdir(folder) if os.path.isdir(folder) else []
    # The killed leave their lock's file; it locks nothing.
    left = [name for name in left if not name.endswith((".partial", ".lock"))]
    check_equal(left, [], "what stands under a final name")
    check_equal([name for name in names(context) if "smollm2" not in name], [], "models")


def shards(hub, count=3, size=300_000):
    files = {"config.json": b'{"architectures": ["LlamaForCausalLM"]}', "tokenizer.json": b"{}" * 300,
             "README.md": b"# A model\n"}
    for number in range(1, count + 1):
        files[f"model-{number:05}-of-{count:05}.safetensors"] = hub.bytes(size)
    files["model.safetensors.index.json"] = b'{"weight_map": {}}'
    return files


def shard_names(files):
    return [path for path in files if path.endswith(".safetensors")]


def wait_for_bytes(hub, path, count):
    end = time.monotonic() + 20
    while hub.served[path] < count:
        check(time.monotonic() < end, "the pull never came so far")
        time.sleep(0.005)
