"""A model hub on this machine that speaks Hugging Face's protocol, and fails as it is told to.

Two servers: the hub itself (its API, small files, redirects) and a store on another port that the large
files are redirected to, as the real one does. Every request is remembered.

    with FaultyHub() as hub:
        commit = hub.add("org/name", {"config.json": b"{}", "model.safetensors": weights})
        hub.fail("model.safetensors", Cut(1000), Status(503))   # one a request, in this order
"""
import base64
import collections
import hashlib
import http.server
import json
import random
import re
import socket
import struct
import threading
import time
import urllib.parse

LARGE_BYTES = 10_000  # from here on a file is in large-file storage


class Fault:
    """What goes wrong with one answer; the fields that are set do."""

    def __init__(self, status=None, headers=None, cut=None, reset=False, flip=None, length=None,
                 stall=None, pause=None, no_range=False, etag=None, range_start=None):
        self.status = status  # instead of the file
        self.headers = headers or {}
        self.cut = cut  # the connection ends after so many bytes of the body
        self.reset = reset  # and it does so rudely: what is under way may be lost
        self.flip = flip  # this byte of the file is another
        self.length = length  # added to what Content-Length says
        self.stall = stall  # (bytes, seconds): then nothing for so long
        self.pause = pause  # seconds before each 64 KiB: a slow line
        self.no_range = no_range  # Range is not understood
        self.etag = etag  # the version of the file has another name
        self.range_start = range_start  # added to the first byte that Content-Range tells of


def Cut(after):
    return Fault(cut=after)


def Status(code, **headers):
    return Fault(status=code, headers={name.replace("_", "-"): value for name, value in headers.items()})


class Repo:
    def __init__(self):
        self.commits = {}  # commit -> {path: bytes}
        self.refs = {}
        self.gated = False
        self.token = None  # needed to see it at all


class FaultyHub:
    def __init__(self, seed=1):
        self.random = random.Random(seed)
        self.repos = {}
        self.requests = []  # of both servers: dicts
        self.served = collections.Counter()  # path in the repository -> bytes of its body sent
        self.faults = collections.defaultdict(collections.deque)
        self.always = {}  # path -> the fault of every request after those of `faults`
        self.page_size = 1000
        self.link_host = None  # where "next" leads, if not here
        self.lies = {}  # path -> size that the tree tells
        self.extra_tree = []  # entries beside the files
        self.lock = threading.Lock()
        self.hub = self._server(self._answer_hub)
        self.store = self._server(self._answer_store)
        self.url = f"http://127.0.0.1:{self.hub.server_port}"
        self.store_url = f"http://127.0.0.1:{self.store.server_port}"
        self.active = 0
        self.most_active = 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for server in (self.hub, self.store):
            server.shutdown()
            server.server_close()

    # What tests set up.

    def add(self, repo, files, refs=("main",), **flags):
        """A new commit with these files; returns its name."""
        commit = hashlib.sha1(repr((repo, sorted(files.items()))).encode()).hexdigest()
        known = self.repos.setdefault(repo, Repo())
        known.commits[commit] = dict(files)
        for ref in refs:
            known.refs[ref] = commit
        for name, value in flags.items():
            setattr(known, name, value)
        return commit

    def fail(self, path, *faults):
        """Faults of the next requests for a file of any repository, or of "api:revision", "api:tree"."""
        self.faults[path].extend(faults)

    def bytes(self, count):
        return self.random.randbytes(count)

    def asked(self, path):
        """The requests whose URL ends in this, in order."""
        return [one for one in self.requests if urllib.parse.unquote(one["path"].split("?")[0]).endswith(path)]

    # How it answers.

    def _server(self, answer):
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path = self.path
                if path.startswith("http://"):  # asked as a proxy
                    path = "/" + path.split("/", 3)[3]
                with hub.lock:
                    hub.requests.append({"port": self.server.server_port, "path": path, "line": self.path,
                                         **{name.lower(): value for name, value in self.headers.items()}})
                try:
                    answer(self, path)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *unused):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 64

            def handle_error(self, *unused):  # clients go away: that is what is tested
                pass

        server = Server(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server

    def _next_fault(self, name):
        with self.lock:
            waiting = self.faults.get(name)
            return waiting.popleft() if waiting else self.always.get(name)

    @staticmethod
    def _send(handler, status, body=b"", **headers):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _refuse(self, handler, status, code, message):
        self._send(handler, status, b"{}", X_Error_Code=code, X_Error_Message=message)

    def _answer_hub(self, handler, path):
        url = urllib.parse.urlsplit(path)
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(revision|tree)/([^/]+)", url.path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", url.path)
        if not api and not file:
            return self._send(handler, 404)
        name, revision = (api or file).group(1), urllib.parse.unquote(api.group(3) if api else file.group(2))
        repo = self.repos.get(name)
        token = (handler.headers.get("Authorization") or "").removeprefix("Bearer ")
        if repo is None or (repo.token and token != repo.token):
            return self._refuse(handler, 404 if token else 401, "RepoNotFound", "Repository not found")
        commit = repo.refs.get(revision, revision)
        if commit not in repo.commits:
            return self._refuse(handler, 404, "RevisionNotFound", f"Invalid rev id: {revision}")
        files = repo.commits[commit]
        if api:
            fault = self._next_fault("api:" + api.group(2))
            if fault and fault.status:
                return self._send(handler, fault.status, b"", **fault.headers)
            if api.group(2) == "revision":
                body = {"id": name, "sha": commit, "siblings": [{"rfilename": path} for path in files]}
                return self._send(handler, 200, json.dumps(body).encode())
            return self._answer_tree(handler, name, commit, files, url.query)
        path = urllib.parse.unquote(file.group(3))
        if path not in files:
            return self._refuse(handler, 404, "EntryNotFound", "Entry not found")
        if repo.gated:
            return self._refuse(handler, 403 if token else 401, "GatedRepo", f"Access to {name} is restricted")
        content = files[path]
        if len(content) < LARGE_BYTES:
            return self._send_file(handler, path, content, {"X-Repo-Commit": commit})
        key = base64.urlsafe_b64encode(json.dumps([name, commit, path]).encode()).decode()
        location = f"{self.store_url}/blob/{key}/{urllib.parse.quote(path)}?signature=SECRET-OF-STORE"
        sha256 = hashlib.sha256(content).hexdigest()
        return self._send(handler, 302, Location=location, X_Repo_Commit=commit,
                          X_Linked_Size=str(len(content)), X_Linked_Etag=f'"{sha256}"')

    def _answer_tree(self, handler, name, commit, files, query):
        start = int(urllib.parse.parse_qs(query).get("cursor", ["0"])[0])
        entries = [{"type": "directory", "path": folder, "oid": "0" * 40, "size": 0}
                   for folder in sorted({path.rsplit("/", 1)[0] for path in files if "/" in path})]
        for path, content in sorted(files.items()):
            size = self.lies.get(path, len(content))
            git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            entry = {"type": "file", "path": path, "oid": git, "size": size}
            if len(content) >= LARGE_BYTES:
                entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": size, "pointerSize": 134}
            entries.append(entry)
        entries += self.extra_tree
        page = entries[start:start + self.page_size]
        headers = {}
        if start + self.page_size < len(entries):
            base = self.link_host or self.url
            headers["Link"] = (f"<{base}/api/models/{name}/tree/{commit}?recursive=true"
                               f"&cursor={start + self.page_size}>; rel=\"next\"")
        self._send(handler, 200, json.dumps(page).encode(), **headers)

    def _answer_store(self, handler, path):
        part = path.split("/")
        if len(part) < 4 or part[1] != "blob":
            return self._send(handler, 404)
        name, commit, file = json.loads(base64.urlsafe_b64decode(part[2]))
        return self._send_file(handler, file, self.repos[name].commits[commit][file], {})

    def _send_file(self, handler, path, content, headers):
        fault = self._next_fault(path) or Fault()
        if fault.status:
            return self._send(handler, fault.status, b"", **fault.headers)
        if fault.flip is not None:
            content = bytearray(content)
            content[fault.flip % len(content)] ^= 0x40
        etag = fault.etag or '"store-%s"' % hashlib.md5(path.encode()).hexdigest()
        first = 0
        wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range") or "")
        condition = handler.headers.get("If-Range")
        if wanted and not fault.no_range and condition in (None, etag):
            first = int(wanted.group(1))
            if first >= len(content):
                return self._send(handler, 416, Content_Range=f"bytes */{len(content)}")
        body = memoryview(bytes(content))[first:]
        handler.send_response(206 if first else 200)
        if first:
            told = first + (fault.range_start or 0)
            handler.send_header("Content-Range", f"bytes {told}-{len(content) - 1}/{len(content)}")
        handler.send_header("ETag", etag)
        handler.send_header("Content-Length", str(len(body) + (fault.length or 0)))
        for key, value in headers.items():
            handler.send_header(key, value)
        handler.end_headers()
        with self.lock:
            self.active += 1
            self.most_active = max(self.most_active, self.active)
        try:
            self._send_body(handler, path, body, fault)
        finally:
            with self.lock:
                self.active -= 1
        if fault.length:
            handler.close_connection = True

    def _send_body(self, handler, path, body, fault):
        sent = 0
        while sent < len(body):
            count = min(65536, len(body) - sent)
            for stop in (fault.cut, fault.stall[0] if fault.stall else None):
                if stop is not None and sent < stop:
                    count = min(count, stop - sent)
            if fault.cut is not None and sent >= fault.cut:
                handler.close_connection = True
                if fault.reset:
                    self._reset(handler)
                return
            if fault.stall and sent == fault.stall[0]:
                time.sleep(fault.stall[1])
            if fault.pause:
                time.sleep(fault.pause)
            handler.wfile.write(body[sent:sent + count])
            sent += count
            with self.lock:
                self.served[path] += count

    @staticmethod
    def _reset(handler):
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()
