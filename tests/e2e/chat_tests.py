"""hangar chat: through a pipe and on a terminal."""
import os
import re
import time

from harness import Terminal, check, check_equal

FLAGS = ["--temperature", "0", "--max-tokens", "60"]


def test_chat_through_a_pipe(context):
    question = "Which city is the capital of France? Answer with the city's name.\n"
    script = (question + "/stats\n") * 2 + "/reset\n" + question + "/stats\n/quit\nnot asked"
    text = context.expect(0, "chat", *FLAGS, stdin=script).stdout.decode()
    check("Paris" in text.splitlines()[0], f"answer: {text}")
    check("> " not in text, "a prompt was shown to a pipe")
    # The second question comes with the first and its answer; /reset forgets them.
    tokens = [int(n) for n in re.findall(r"Last answer: (\d+) prompt tokens", text)]
    check_equal(len(tokens), 3, "answers")
    check(tokens[1] > tokens[0] + 20 and tokens[2] == tokens[0], f"prompt tokens: {tokens}")

    script = "/system You are a pirate.\n/system\n/help\n/rest\n/reset\n"
    text = context.expect(0, "chat", *FLAGS, stdin=script).stdout.decode()
    for wanted in ("You are a pirate.", "/quit", "/reset?", "forgotten"):
        check(wanted in text, f"no {wanted!r} in {text}")


def test_chat_forgets_what_does_not_fit(context):
    line = "Tell me about " + "the sea and " * 30 + "ships.\n"
    done = context.expect(0, "chat", "--max-context", "400", "--temperature", "0", "--max-tokens",
                          "64", stdin=line * 4)
    check(b"no longer fit" in done.stderr, f"nothing was forgotten: {done.stderr}")
    done = context.expect(2, "chat", "--max-context", "64", stdin=line)
    check(b"hangar: error" in done.stderr, "a question past the context")


def test_chat_on_a_terminal(context):
    terminal = Terminal(context, "chat", "--temperature", "0", "--max-tokens", "4000", "--ignore-eos")
    try:
        terminal.wait_for(b"> ")
        terminal.type(b"Tell me a very long story.\n")
        terminal.wait_for(b"story.")
        time.sleep(1)
        first = terminal.read_for(0.3)
        check(len(first) > 20, f"no stream: {first!r}")
        terminal.type(b"\x03")
        terminal.wait_for(b"[stopped]")
        terminal.wait_for(b"> ")
        check(terminal.alive(), "Ctrl-C ended the program")
        check(not terminal.read_for(0.5), "text after Ctrl-C")

        # Ctrl-C at the prompt drops the line, editing works, history comes back with the arrow.
        terminal.type(b"this is dropped\x03")
        terminal.wait_for(b"> ")
        terminal.type(b"/statx\x7fs\n")
        terminal.wait_for(b"Last answer:")
        terminal.wait_for(b"> ")
        terminal.type(b"\x1b[A\n")
        terminal.wait_for(b"Last answer:")
        terminal.wait_for(b"> ")
        terminal.type("/système\n".encode())
        terminal.wait_for("no /système".encode())
        terminal.wait_for(b"> ")
        terminal.type(b"\x04")
        check_equal(terminal.wait(), 0, "exit code after Ctrl-D")
    finally:
        terminal.close()
    history = os.path.join(context.scratch, "state", "hangar", "chat_history")
    check(os.path.exists(history), "no history file")
    check_equal(os.stat(history).st_mode & 0o077, 0, "rights of others on the history")
    with open(history, encoding="utf-8") as file:
        text = file.read()
    check("story" in text and "dropped" not in text, f"history: {text}")

    terminal = Terminal(context, "chat")
    try:
        terminal.wait_for(b"> ")
        terminal.type(b"\x1b[A\x1b[A\x1b[A")
        terminal.wait_for(b"story.")
        terminal.type(b"\x15/quit\n")
        check_equal(terminal.wait(), 0, "exit code after /quit")
    finally:
        terminal.close()
