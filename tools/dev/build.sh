# Building, over the CMake presets.
# With these ccache knows a file again in another clone of this tree.
export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$ROOT} CCACHE_NOHASHDIR=${CCACHE_NOHASHDIR:-1}

# configure PRESET: once; afterwards ninja sees by itself when CMake must run again.
configure() {
  local preset=$1 folder=build/$1
  # A tree that was moved or copied holds paths of its old place: such a build folder is of no use.
  if [ -f "$folder/CMakeCache.txt" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$ROOT" "$folder/CMakeCache.txt"; then
    rm -rf "$folder"
  fi
  [ -f "$folder/build.ninja" ] || cmake --preset "$preset" >&2
}

# build PRESET TARGET...: no target means all.
build() {
  local preset=$1 targets=()
  shift
  [ $# -gt 0 ] && targets=(--target "$@")
  configure "$preset"
  cmake --build "build/$preset" --parallel "$(jobs_here)" "${targets[@]}" >&2
}

build_verb() {
  local preset=release
  case ${1:-} in
    release | dev | asan | tsan | fuzz | arm64 | cuda | racecheck)
      preset=$1
      shift
      ;;
    --cuda)
      preset=cuda
      shift
      ;;
  esac
  [[ $preset = fuzz || $preset = asan || $preset = tsan ]] && set_up all
  [ "$preset" = arm64 ] && set_up_arm64
  [[ $preset = cuda || $preset = racecheck ]] && set_up_cuda
  build "$preset" "$@"
}

# The tests and benchmarks of the card, out of build/cuda.
gpu_test_verb() {
  case " $* " in
    *" --tool=racecheck "* | *" --tool racecheck "*) build_for_gpu racecheck ;;
    *) build_for_gpu cuda ;;
  esac
  gpu_test "$@"
}
# build_for_gpu cuda|racecheck
build_for_gpu() {
  gpu_here || die "no GPU here: $(command -v nvidia-smi >/dev/null && nvidia-smi -L 2>&1 | head -1 ||
    echo "neither nvidia-smi nor a driver's library and /dev/nvidia0"). A bundle (./dev bundle) can be carried to one"
  set_up_cuda
  build "$1" hangar hangar_cuda "${GPU_TESTS[@]}" hangar_cuda_bench
  export HANGAR=build/$1/hangar BIN=build/$1/bin LOGS=build/test-logs/gpu BENCH=bench
  [ "$1" != racecheck ] || export RACECHECK=1
}

bench_verb() {
  if [ "${1:-}" = --gpu ]; then
    shift
    build_for_gpu cuda
    gpu_bench "$@"
    return
  fi
  set_up build
  local model
  model=$(default_model)
  build release hangar
  bash bench/peers/llama_cpp.sh >/dev/null
  local script=bench/compare.py
  case ${1:-} in
    serving | cpu)
      script=bench/compare_$1.py
      shift
      ;;
    neighbours)
      script=bench/neighbours.py
      shift
      ;;
  esac
  exec python3 "$script" --hangar build/release/hangar --model "$model" "$@"
}

clean_verb() {
  rm -rf build
  if [ "${1:-}" = --all ]; then
    rm -rf "$CACHE"
  fi
}
