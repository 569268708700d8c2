# What needs a card: the tests and benchmarks, from a build folder or from an unpacked bundle, which has this
# file too. HANGAR is the program, BIN the folder of the tests, LOGS where their output goes, BENCH that of
# bench/gpu_table.py.
# golden_tests want the default model, which a bundle has not: HANGAR_TEST_MODEL names it.
GPU_TESTS=(cuda_tests backend_tests architecture_tests golden_tests)
CUBLAS=libcublasLt.so.13

# Prints the folder of CUDA's own libraries; nothing where the loader finds them by itself.
cuda_libraries() {
  local folder folders=("${CUDA_HOME:-}/lib64" "${CUDA_HOME:-}/lib" /usr/local/cuda/lib64 /usr/local/cuda/lib
    /usr/local/cuda/targets/x86_64-linux/lib)
  /sbin/ldconfig -p 2>/dev/null | grep -q "$CUBLAS .*x86-64" && return 0
  IFS=: read -r -a given <<<"${LD_LIBRARY_PATH:-}"
  for folder in "${given[@]}"; do
    [ -n "$folder" ] && [ -e "$folder/$CUBLAS" ] && return 0
  done
  # As PyTorch brings them: nvidia/cu13/lib or nvidia/cublas/lib beside python's packages.
  if command -v python3 >/dev/null; then
    while read -r folder; do folders+=("$folder"); done < <(
      python3 -c 'import glob, sys
for base in sys.path:
    for folder in glob.glob(base + "/nvidia/*/lib"): print(folder)' 2>/dev/null
    )
  fi
  for folder in "${folders[@]}"; do
    if [ -e "$folder/$CUBLAS" ]; then
      echo "$folder"
      return 0
    fi
  done
  die "no $CUBLAS here: it comes with the CUDA 13 toolkit (CUDA_HOME names its folder) and with the Python package
nvidia-cublas 13; LD_LIBRARY_PATH may name where it lies"
}

# From here on programs find CUDA's own libraries.
use_cuda_libraries() {
  local folder
  folder=$(cuda_libraries) || exit 1
  [ -z "$folder" ] || export LD_LIBRARY_PATH=$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
}

# Prints which cards there are; ends with the reason where there is none.
need_card() {
  local devices
  devices=$("$HANGAR" devices) || die "$HANGAR devices failed"
  case $devices in
    *"GPU: none."* | *"GPU: 0 cards"*) die "no card to run on. $(grep '^GPU: ' <<<"$devices")" ;;
  esac
  echo "$devices"
}

# gtest_count LOG WORD: the number in "[  PASSED  ] 12 tests.", the sum of them where several processes wrote the log.
gtest_count() {
  sed -n "s/^\[ *$2 *\] \([0-9]*\) test.*/\1/p" "$1" | awk '{sum += $1} END {print sum + 0}'
}

# A process and what it started.
end_process() {
  pkill -P "$1" 2>/dev/null || true
  kill "$1" 2>/dev/null || true
}

# in_shards COUNT LOG COMMAND...: COMMAND in so many processes at once, each with its part of the tests; LOG has all
# that they said, the exit code is the worst. A shell keeps Ctrl-C from what it runs beside itself: it is passed on.
in_shards() {
  local count=$1 log=$2 shard code worst=0 processes=()
  shift 2
  if [ "$count" -eq 1 ]; then
    "$@" >"$log" 2>&1 </dev/null
    return
  fi
  for ((shard = 0; shard < count; ++shard)); do
    GTEST_TOTAL_SHARDS=$count GTEST_SHARD_INDEX=$shard "$@" >"$log.$shard" 2>&1 </dev/null &
    processes+=($!)
  done
  trap 'for code in "${processes[@]}"; do end_process "$code"; done; wait; exit 130' INT TERM
  for ((shard = 0; shard < count; ++shard)); do
    code=0
    wait "${processes[$shard]}" || code=$?
    [ "$code" -le "$worst" ] || worst=$code
    cat "$log.$shard" >>"$log"
    rm -f "$log.$shard"
  done
  trap - INT TERM
  return "$worst"
}

# races_of LOG: whether racecheck reported nothing there. cuBLASLt's kernels (nvjet_*) are not ours, nor built for it:
# theirs are counted and no more. (Told to leave those kernels out, the tool makes them fail.)
races_of() {
  local reports ours theirs
  reports=$(grep -aE '========= (Error|Warning): Race reported|Internal Sanitizer Error' "$1" || true)
  ours=$(grep -av ' access at nvjet_' <<<"$reports" || true)
  theirs=$(grep -ac ' access at nvjet_' <<<"$reports" || true)
  [ "$theirs" -eq 0 ] || echo "racecheck: $theirs reports of cuBLASLt's own kernels, not counted"
  [ -n "$ours" ] || return 0
  echo "racecheck: $(wc -l <<<"$ours") reports:"
  cut -c1-200 <<<"$ours" | sort | uniq -c | sort -rn | head -20
  return 1
}

# gpu_test [--tool memcheck|racecheck|initcheck|synccheck] [--filter GTEST_FILTER] [--jobs N]: the last line is
# "N passed, N failed, N skipped"; with a tool of compute-sanitizer, cuda_tests alone run under it. --jobs: cuda_tests
# in so many processes at once (the others take the whole card, or seconds). racecheck wants programs that are built for
# it, as RACECHECK says these are.
gpu_test() {
  local tool='' filter='*' jobs=1 tests=("${GPU_TESTS[@]}") under=() passed=0 failed=0 skipped=0
  local test log code started here listed count
  while [ $# -gt 0 ]; do
    case $1 in
      --tool=*) tool=${1#*=} ;;
      --filter=*) filter=${1#*=} ;;
      --jobs=*) jobs=${1#*=} ;;
      --tool | --filter | --jobs)
        [ $# -gt 1 ] || die "test --gpu: $1 wants a value"
        case $1 in
          --tool) tool=$2 ;;
          --filter) filter=$2 ;;
          --jobs) jobs=$2 ;;
        esac
        shift
        ;;
      *) die "test --gpu: no such option: $1 (there are --tool, --filter and --jobs)" ;;
    esac
    shift
  done
  [[ $jobs =~ ^[1-9][0-9]?$ ]] || die "test --gpu: --jobs $jobs: wants a number from 1 to 99"
  [ "$tool" != racecheck ] || [ -n "${RACECHECK:-}" ] || die "test --gpu: racecheck would report races where there are
none: it follows barriers by single threads only, and these programs' warps arrive as one. ./dev bundle --racecheck makes
a bundle that it can follow; in the tree ./dev test --gpu --tool racecheck builds one by itself"
  need_card
  use_cuda_libraries
  if [ -n "$tool" ]; then
    local sanitizer
    sanitizer=$(command -v compute-sanitizer || echo "${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer")
    [ -x "$sanitizer" ] || die "no compute-sanitizer here: it comes with the CUDA toolkit"
    tests=(cuda_tests)
    under=("$sanitizer" --tool "$tool" --launch-timeout 120)
    [ "$tool" = racecheck ] || under+=(--error-exitcode 99)  # its reports are counted by races_of
  fi
  mkdir -p "$LOGS"
  rm -f "$LOGS"/*.log
  for test in "${tests[@]}"; do
    # A filter is for some tests of one program; the others then have none to run.
    if listed=$("$BIN/$test" --gtest_filter="$filter" --gtest_list_tests 2>/dev/null) && ! grep -q '^  ' <<<"$listed"; then
      continue
    fi
    log=$LOGS/$test${tool:+-$tool}.log
    started=$(date +%s)
    code=0
    count=1
    [ "$test" != cuda_tests ] || count=$jobs
    in_shards "$count" "$log" "${under[@]}" "$BIN/$test" --gtest_filter="$filter" || code=$?
    [ "$tool" != racecheck ] || races_of "$log" || code=99
    here=$(gtest_count "$log" FAILED)
    [ "$code" -ne 0 ] && [ "$here" -eq 0 ] && here=1
    if [ "$here" -gt 0 ]; then
      grep -E '^\[  FAILED  \] [A-Za-z]' "$log" | sort -u | head -40 || true
      echo "$test ended with $code; the end of its output ($log):"
      tail -40 "$log"
    fi
    echo "$test: $(gtest_count "$log" PASSED) passed, $here failed, $(gtest_count "$log" SKIPPED) skipped," \
      "$(($(date +%s) - started)) s${tool:+ under $tool}"
    passed=$((passed + $(gtest_count "$log" PASSED)))
    failed=$((failed + here))
    skipped=$((skipped + $(gtest_count "$log" SKIPPED)))
  done
  # No test at all is no success; and with a card here, none may be left out for want of one.
  if [ $((passed + failed)) -eq 0 ]; then failed=1; fi
  if grep -qE 'no CUDA card here|libhangar_cuda\.so' "$LOGS"/*.log; then
    echo "tests were skipped as if there were no card: the program and the tests do not agree"
    grep -hoE 'no CUDA card here|.*libhangar_cuda\.so.*' "$LOGS"/*.log | sort | uniq -c
    failed=$((failed + 1))
  fi
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
}

# gpu_bench kernels [ARGS]: the kernels (hangar_cuda_bench --help); gpu_bench [ARGS]: the table of all that the
# CUDA backend is held to (gpu_table.py --help).
gpu_bench() {
  need_card
  use_cuda_libraries
  if [ "${1:-}" = kernels ]; then
    shift
    "$BIN/hangar_cuda_bench" "$@"
    return
  fi
  command -v python3 >/dev/null || die "no python3 here: the table wants it (./dev bench --gpu kernels does not)"
  python3 "$BENCH/gpu_table.py" --hangar "$HANGAR" --kernels "$BIN/hangar_cuda_bench" "$@"
}
