# clang-tidy for ./dev check, from PyPI: since LLVM 21 it leaves declarations of system headers alone, in which the
# systems' own (14 to 19) spend most of their time.
TIDY_WHEEL=clang-tidy==23.1.4
OWN_TIDY=$CACHE/${TIDY_WHEEL/==/-}

fetch_tidy() {
  local scratch root
  [ -x "$OWN_TIDY/bin/clang-tidy" ] && return 0  # another ./dev fetched it while we waited
  say "fetching $TIDY_WHEEL (50 MB, once)"
  rm -rf "$OWN_TIDY".fetch.*  # left by one that was killed: we hold the lock
  scratch=$(mktemp -d "$OWN_TIDY.fetch.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$scratch'" EXIT
  unpack_wheels "$scratch" "$TIDY_WHEEL" || die "$TIDY_WHEEL could not be downloaded or unpacked (why is above);
./dev check --fast does without it"
  root=$scratch/unpacked/clang_tidy/data
  chmod +x "$root/bin/clang-tidy" || die "$TIDY_WHEEL has another layout than expected: no clang_tidy/data/bin"
  rm -rf "$OWN_TIDY"
  mv "$root" "$OWN_TIDY"
}

# Prints the path of clang-tidy, fetching it if need be.
clang_tidy() {
  [ -x "$OWN_TIDY/bin/clang-tidy" ] || with_lock tidy fetch_tidy || exit 1
  echo "$OWN_TIDY/bin/clang-tidy"
}
