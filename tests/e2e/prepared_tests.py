"""hangar models prepare: a second start maps what the first laid out, and never what does not fit."""
import json
import os
import shutil
import signal
import subprocess
import time

from harness import check, check_equal

MODEL = "smollm2-135m-instruct"
PROMPT = ("generate", "Name three colours.", "--max-tokens", "12", "--temperature", "0")


def prepared_folder(context):
    return os.path.join(context.scratch, "cache", "hangar", "prepared")


def prepared_files(context):
    folder = prepared_folder(context)
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def own_copy(context):
    """The store's model as a file of the test's own, not a link to everybody's."""
    path = os.path.join(context.scratch, "cache", "hangar", "models", os.path.basename(context.model))
    os.remove(path)
    shutil.copy(context.model, path)
    return path


def prepare(context, *more, code=0):
    return context.expect(code, "models", "prepare", MODEL, *more)


def maps_prepared(context, server):
    with open(f"/proc/{server.process.pid}/maps", encoding="utf-8") as file:
        return prepared_folder(context) in file.read()


def listed(context):
    return json.loads(context.expect(0, "models", "--json").stdout)[0]["prepared_bytes"]


def test_prepared_weights_are_mapped_and_answer_alike(context):
    plain = context.expect(0, *PROMPT).stdout
    check_equal(prepared_files(context), [], "a start prepares nothing unasked")
    check_equal(listed(context), 0, "prepared_bytes")
    path = prepare(context).stdout.decode().strip()
    check(os.path.isfile(path), f"no file {path}")
    size = os.path.getsize(path)
    model = os.path.getsize(context.model)
    check(0.8 * model < size < 1.1 * model, f"{size} bytes for a model of {model}")
    check_equal(listed(context), size, "prepared_bytes")
    check_equal(context.expect(0, *PROMPT).stdout, plain, "the answer from prepared weights")
    with context.server() as server:
        check(maps_prepared(context, server), "the server did not map the prepared weights")
    with context.server("--prepared-weights", "off") as server:
        check(not maps_prepared(context, server), "mapped in spite of --prepared-weights off")
    context.expect(0, "models", "rm", MODEL, "--yes")
    check_equal(prepared_files(context), [], "after models rm")


def test_prepared_weights_made_at_first_start_if_asked(context):
    with context.server("--prepared-weights", "make") as server:
        check(maps_prepared(context, server), "the first start did not make and map them")
    check_equal(len(prepared_files(context)), 1, "files")


def test_prepared_weights_of_a_changed_model_are_left_aside(context):
    model = own_copy(context)
    prepare(context)
    os.utime(model, (time.time() - 1000, time.time() - 1000))
    with context.server() as server:
        check(not maps_prepared(context, server), "weights of a changed model are used")
        check("its time" in server.output(), f"no reason in the log: {server.output()}")
    prepare(context)
    with context.server() as server:
        check(maps_prepared(context, server), "prepared anew, but not used")


def test_prepared_weights_damaged_are_left_aside(context):
    plain = context.expect(0, *PROMPT).stdout
    path = prepare(context).stdout.decode().strip()
    os.truncate(path, os.path.getsize(path) - 1)
    done = context.expect(0, *PROMPT)
    check_equal(done.stdout, plain, "the answer")
    check(b"is damaged" in done.stderr, f"no reason in the log: {done.stderr}")
    check(b"anew" in prepare(context).stderr, "a damaged file is made anew")
    # A byte within the weights is seen by prepare, which reads them all.
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    check(b"anew" in prepare(context).stderr, "a wrong byte is not seen")
    check(b"every byte is right" in prepare(context).stderr, "a whole file is written again")
    check_equal(context.expect(0, *PROMPT).stdout, plain, "the answer")


def test_prepare_interrupted_leaves_nothing(context):
    for _ in range(10):
        process = context.start("models", "prepare", MODEL, "--threads", "1", "--force")
        end = time.monotonic() + 30
        while not prepared_files(context) and process.poll() is None and time.monotonic() < end:
            time.sleep(0.0005)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        if process.returncode == 130:
            check_equal(prepared_files(context), [], "files left")
            return
        check_equal(process.returncode, 0, "exit code")  # it was done before the signal came
        os.remove(os.path.join(prepared_folder(context), prepared_files(context)[0]))
    check(False, "ten times it was done before the signal came")


def test_prepare_two_at_once(context):
    both = [context.start("models", "prepare", MODEL, "--force", stdout=subprocess.DEVNULL)
            for _ in range(2)]
    codes = []
    for process in both:
        errors = process.communicate(timeout=120)[1]
        codes.append(process.returncode)
        check(process.returncode == 0 or b"another hangar" in errors, f"stderr: {errors}")
    check(0 in codes and set(codes) <= {0, 8}, f"exit codes {codes}")
    check_equal(len(prepared_files(context)), 1, "files")
    check(b"every byte is right" in prepare(context).stderr, "the file that two made")


def test_prepare_without_a_place_to_write(context):
    folder = os.path.dirname(prepared_folder(context))
    with open(os.path.join(folder, "prepared"), "w", encoding="utf-8") as file:
        file.write("in the way")
    check(b"prepared" in prepare(context, code=6).stderr, "the reason")
    context.expect(0, *PROMPT)
