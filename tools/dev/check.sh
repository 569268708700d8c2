# ./dev check: what can be said of the sources without running them.
own_files() {
  find src tests bench tools -name '*.h' -o -name '*.cc' -o -name '*.cu' -o -name '*.cuh' | grep -v '^tests/data/' | sort
}
own_scripts() { find dev .ci/run tools bench -type f \( -name '*.sh' -o -name dev -o -name run \) | sort; }

format_files() { own_files | xargs clang-format-19 -i; }

check_verb() {
  local failed=() name
  # step NAME COMMAND...: runs it, remembers whether it failed.
  step() {
    name=$1
    shift
    say "$name"
    "$@" || failed+=("$name")
  }
  check_format() { own_files | xargs clang-format-19 --dry-run -Werror; }
  step format check_format
  check_scripts() { own_scripts | xargs shellcheck --shell=bash --severity=warning; }
  step shellcheck check_scripts
  for name in selftest floors lengths tests_register contracts machine_paths no_globals; do
    step "$name" python3 "tools/checks/$name.py"
  done
  if [ "${1:-}" != --fast ]; then
    configure release
    local builds=(--build build/release)
    # The CUDA part's C++; its kernels (.cu) are nvcc's to judge.
    if CUDA_HOME=$(find_cuda); then
      export CUDA_HOME
      configure cuda
      builds+=(--build build/cuda)
    else
      say "no nvcc 13 here: src/backend/cuda is not linted (./dev setup cuda brings it)"
    fi
    check_lint() {
      local tidy
      tidy=$(clang_tidy) &&
        python3 tools/checks/lint.py --tidy "$tidy" "${builds[@]}" --jobs "$(jobs_here)" --cache "$CACHE/lint"
    }
    step lint check_lint
  fi
  if [ ${#failed[@]} -gt 0 ]; then
    die "check failed: ${failed[*]}"
  fi
  say "check: all passed"
}
