"""What the end-to-end tests share: starting the program, asking it, checking what comes back.

Python 3's own library only; no network but this machine's loopback.
"""
import contextlib
import json
import os
import pty
import select
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request


class Failure(AssertionError):
    """A check that did not hold."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def check_equal(got, wanted, what):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Answer:
    def __init__(self, status, body, headers):
        self.status, self.body, self.headers = status, body, headers

    def json(self):
        return json.loads(self.body)


class Context:
    """The program under test, its model, and a home folder of its own."""

    def __init__(self, hangar, model, scratch):
        self.hangar = os.path.abspath(hangar)
        self.model = os.path.abspath(model)
        self.scratch = scratch
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("HANGAR_")
        }
        self.environment.update(
            HOME=scratch,
            XDG_CACHE_HOME=os.path.join(scratch, "cache"),
            XDG_STATE_HOME=os.path.join(scratch, "state"),
            TERM="xterm",
        )
        models = os.path.join(scratch, "cache", "hangar", "models")
        os.makedirs(models, exist_ok=True)
        link = os.path.join(models, os.path.basename(self.model))
        if not os.path.exists(link):
            os.symlink(self.model, link)

    def run(self, *arguments, stdin=b"", timeout=120, env=None, **options):
        """Runs the program to its end; out and err are bytes."""
        if isinstance(stdin, str):
            stdin = stdin.encode()
        return subprocess.run(
            [self.hangar, *arguments],
            input=stdin,
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            timeout=timeout,
            env={**self.environment, **(env or {})},
            **options,
        )

    def expect(self, code, *arguments, **options):
        done = self.run(*arguments, **options)
        check(
            done.returncode == code,
            f"hangar {' '.join(arguments)}: exit {done.returncode}, wanted {code}; "
            f"stderr: {done.stderr.decode(errors='replace')[-600:]}",
        )
        return done

    def start(self, *arguments, **options):
        return subprocess.Popen(
            [self.hangar, *arguments],
            env={**self.environment, **options.pop("env", {})},
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
               **options},
        )

    @contextlib.contextmanager
    def server(self, *arguments):
        """A running server; killed at the end if the test has not ended it."""
        server = Server(self, *arguments)
        try:
            server.wait_healthy()
            yield server
        finally:
            server.kill()


class Server:
    def __init__(self, context, *arguments):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = tempfile.NamedTemporaryFile(dir=context.scratch, suffix=".log", delete=False)
        self.process = context.start(
            "serve", "--port", str(self.port), *arguments, stdout=self.log, stderr=self.log
        )

    def output(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_healthy(self, timeout=30):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            check(self.process.poll() is None, "the server ended early: " + self.output())
            try:
                if self.get("/health", timeout=5).status == 200:
                    return
            except (OSError, urllib.error.URLError):
                pass
            time.sleep(0.02)
        raise Failure("the server never became healthy: " + self.output())

    def get(self, path, timeout=60):
        return self._ask(urllib.request.Request(self.url + path), timeout)

    def post(self, path, body, timeout=120):
        return self._ask(self._request(path, body), timeout)

    def stream(self, path, body, timeout=120):
        """The open answer: iterate its lines, or close it."""
        return urllib.request.urlopen(self._request(path, body), timeout=timeout)

    def _request(self, path, body):
        return urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )

    @staticmethod
    def _ask(request, timeout):
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return Answer(answer.status, answer.read(), answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read(), error.headers)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=60):
        return self.process.wait(timeout)

    def cpu_seconds(self):
        """Processor time the server has used so far."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


def events(lines):
    """The JSON of each `data:` line of an SSE stream; the last is the text "[DONE]"."""
    for line in lines:
        line = line.strip()
        if not line:
            continue
        check(line.startswith(b"data: "), f"not an SSE data line: {line!r}")
        data = line[len(b"data: "):]
        yield "[DONE]" if data == b"[DONE]" else json.loads(data)


class Terminal:
    """The program on a terminal of its own, as a person has it."""

    def __init__(self, context, *arguments):
        self.unread = b""  # came, but no wait has passed it yet
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(context.hangar, [context.hangar, *arguments], context.environment)

    def type(self, text):
        os.write(self.fd, text)

    def read_for(self, seconds):
        """What comes within a time, and what no wait has passed yet."""
        got, self.unread = self.unread, b""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([self.fd], [], [], left)
            if not ready:
                break
            try:
                piece = os.read(self.fd, 65536)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            got += piece
        return got

    def wait_for(self, text, timeout=30):
        """Reads until `text` has come after the last wait's text; returns all up to its end."""
        got = self.read_for(0)
        end = time.monotonic() + timeout
        while text not in got:
            check(time.monotonic() < end, f"the terminal never showed {text!r}; it shows {got!r}")
            got += self.read_for(0.05)
        cut = got.index(text) + len(text)
        self.unread = got[cut:]
        return got[:cut]

    def alive(self):
        return os.waitpid(self.pid, os.WNOHANG) == (0, 0)

    def wait(self, timeout=30):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self.read_for(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
        raise Failure("the program on the terminal did not end")

    def close(self):
        if self.pid:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
        os.close(self.fd)
