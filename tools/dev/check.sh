# ./dev check: what can be said of the sources without running them.
own_files() { find src tests bench tools -name '*.h' -o -name '*.cc' | grep -v '^tests/data/' | sort; }

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
  for name in selftest floors lengths tests_register contracts machine_paths no_globals; do
    step "$name" python3 "tools/checks/$name.py"
  done
  if [ "${1:-}" != --fast ]; then
    configure release
    step lint python3 tools/checks/lint.py --build build/release --jobs "$(jobs_here)" --cache "$CACHE/lint"
  fi
  if [ ${#failed[@]} -gt 0 ]; then
    die "check failed: ${failed[*]}"
  fi
  say "check: all passed"
}
