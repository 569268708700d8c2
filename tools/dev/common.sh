# What every verb uses: where things are kept, how to speak, how to fail.
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/hangar

say() {
  if [ -t 2 ]; then printf '\033[1m== %s\033[0m\n' "$*" >&2; else printf '== %s\n' "$*" >&2; fi
}
die() {
  printf 'dev: %s\n' "$*" >&2
  exit 1
}

# Processors we may use: as many jobs at once, fewer where memory is short (2 GB a compiler).
jobs_here() {
  [ -n "${HANGAR_JOBS:-}" ] && echo "$HANGAR_JOBS" && return
  local cores memory
  cores=$(nproc)
  memory=$(awk '/MemAvailable/ {print int($2 / 2000000)}' /proc/meminfo 2>/dev/null || echo "$cores")
  [ "${memory:-0}" -lt 1 ] && memory=1
  echo $((cores < memory ? cores : memory))
}

# with_lock NAME COMMAND...: one such command at a time on this machine; others wait for it.
with_lock() {
  local name=$1
  shift
  mkdir -p "$CACHE/locks"
  (
    if ! flock -n 9; then
      say "waiting for another ./dev that is busy with $name"
      flock 9
    fi
    "$@" 9>&-  # what it leaves running must not keep the lock
  ) 9>"$CACHE/locks/$name"
}
