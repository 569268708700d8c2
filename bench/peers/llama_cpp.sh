#!/usr/bin/env bash
# Builds llama.cpp, to run beside Hangar: from the source inside the llama-cpp-python sdist (llama.cpp
# commit 0c1e57098), for this processor, into the cache folder. Does nothing where that is done.
# Prints the folder that holds llama-bench and the others.
set -euo pipefail
VERSION=0.3.36
PROGRAMS=(llama-bench llama-batched-bench llama-perplexity llama-quantize llama-server)
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=/dev/null
source "$ROOT/tools/dev/common.sh"
# shellcheck source=/dev/null
source "$ROOT/tools/dev/wheels.sh"  # pip_command
PEER=$CACHE/peers/llama_cpp-$VERSION

is_built() {
  local program
  for program in "${PROGRAMS[@]}"; do
    [ -x "$PEER/build/bin/$program" ] || return 1
  done
}

build_peer() {
  is_built && return 0
  mkdir -p "$PEER"
  if [ ! -f "$PEER/source/vendor/llama.cpp/CMakeLists.txt" ]; then
    say "fetching llama.cpp's source (llama-cpp-python $VERSION, 77 MB)"
    local scratch pip
    scratch=$(mktemp -d "$PEER/fetch.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$scratch'" EXIT
    read -r -a pip <<<"$(pip_command)"
    "${pip[@]}" download --no-deps --no-binary llama-cpp-python --disable-pip-version-check --quiet \
      --dest "$scratch" "llama-cpp-python==$VERSION" </dev/null >&2 ||
      die "pip could not download llama-cpp-python==$VERSION (its message is above)"
    mkdir "$scratch/source"
    tar -xzf "$scratch"/llama_cpp_python-*.tar.gz -C "$scratch/source" --strip-components=1
    rm -rf "$PEER/source"
    mv "$scratch/source" "$PEER/source"
  fi
  say "building llama.cpp (some minutes, once)"
  cmake -S "$PEER/source/vendor/llama.cpp" -B "$PEER/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DGGML_NATIVE=ON -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_UI=OFF \
    -DBUILD_SHARED_LIBS=OFF >"$PEER/build.log" 2>&1 || die "llama.cpp: cmake failed, see $PEER/build.log"
  cmake --build "$PEER/build" --parallel "$(jobs_here)" --target "${PROGRAMS[@]}" >>"$PEER/build.log" 2>&1 ||
    die "llama.cpp does not build, see $PEER/build.log"
}

is_built || with_lock peers-llama_cpp build_peer
is_built || die "llama.cpp: programs are missing in $PEER/build/bin"
echo "$PEER/build/bin"
