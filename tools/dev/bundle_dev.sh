#!/usr/bin/env bash
# The ./dev of an unpacked bundle: what can be run from it alone, on any machine with an NVIDIA card and its
# driver. Nothing is built or fetched.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
die() {
  printf 'dev: %s\n' "$*" >&2
  exit 1
}
# shellcheck source=/dev/null
source "$HERE/share/dev/gpu.sh"
# What gpu.sh works with.
[ ! -e "$HERE/share/racecheck" ] || export RACECHECK=1  # ./dev bundle --racecheck
export HANGAR_TEST_FOLDER=$HERE/share HANGAR=$HERE/bin/hangar BIN=$HERE/bin LOGS=${HANGAR_LOGS:-$HERE/logs} BENCH=$HERE/bench

usage() {
  cat <<'TEXT'
./dev VERB [ARGUMENTS]   (of a bundle: docs/gpu.md)

  test --gpu [--tool memcheck|racecheck|initcheck|synccheck] [--filter GTEST_FILTER] [--jobs N]
                   the tests on this machine's card, those of operations N at a time; ends with
                   "N passed, N failed, N skipped"
  bench --gpu [ARGS]
                   speeds of the 8B shape in 16 bits, FP8 and 4 bits, beside bounds, peers and targets
                   (--help; --quick, --only NAMES, --json, --markdown, --plot PATH)
  bench --gpu kernels [ARGS]
                   the CUDA kernels beside what this card allows (--help)
  hangar ARGS      the program, with CUDA's own libraries found
  help             this text
TEXT
}

verb=${1:-help}
[ $# -gt 0 ] && shift
case $verb in
  test | bench)
    [ "${1:-}" = --gpu ] || die "a bundle has the GPU's $verb only: ./dev $verb --gpu"
    shift
    "gpu_$verb" "$@"
    ;;
  hangar)
    use_cuda_libraries
    exec "$HANGAR" "$@"
    ;;
  help | -h | --help) usage ;;
  *)
    usage >&2
    die "no such verb: $verb"
    ;;
esac
