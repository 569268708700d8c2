# The cross build for 64-bit Arm: a compiler and an emulator as packages, and the arm64 libraries that
# the backends and their tests are made of. The libraries are unpacked into the cache folder, so that
# neither dpkg's architectures nor the installed packages change; apt fetches and checks them.
# HANGAR_ARM64_ROOT: a folder with such libraries to take instead, as it is.
OWN_ARM64_ROOT=$CACHE/arm64
export HANGAR_ARM64_ROOT=${HANGAR_ARM64_ROOT:-$OWN_ARM64_ROOT}

arm64_libraries() {
  case "$(. /etc/os-release && echo "$ID-$VERSION_ID")" in
    debian-12)
      echo libhwy1 libhwy-dev libfmt9 libfmt-dev libspdlog1.10 libspdlog-dev libexpected-dev libboost1.81-dev \
        libboost-json1.81.0 libboost-json1.81-dev libboost-container1.81.0 libboost-container1.81-dev \
        libgtest-dev libgmock-dev
      ;;
    *) return 1 ;;
  esac
}

# apt with lists and an empty status of its own.
fetch_arm64_libraries() {
  local libraries=$1 scratch file
  [ "$(cat "$OWN_ARM64_ROOT/ready" 2>/dev/null)" = "$libraries" ] && return 0
  say "fetching the arm64 libraries (13 MB)"
  mkdir -p "$CACHE"
  scratch=$(mktemp -d "$CACHE/arm64.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$scratch'" EXIT
  mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial" "$scratch/root"
  : >"$scratch/status"
  local apt=(apt-get -q -o "Dir::State=$scratch" -o "Dir::State::Lists=$scratch/lists"
    -o "Dir::State::status=$scratch/status" -o "Dir::Cache=$scratch/cache"
    -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o "APT::Sandbox::User=$(id -un)")
  "${apt[@]}" update </dev/null >&2 || say "apt-get update failed for some sources; trying what it has"
  # shellcheck disable=SC2086
  (cd "$scratch" && "${apt[@]}" download $libraries </dev/null >&2) ||
    die "apt-get could not fetch the arm64 libraries: $libraries"
  for file in "$scratch"/*.deb; do dpkg-deb -x "$file" "$scratch/root"; done
  echo "$libraries" >"$scratch/root/ready"
  rm -rf "$OWN_ARM64_ROOT"
  mv "$scratch/root" "$OWN_ARM64_ROOT"
}

set_up_arm64() {
  local libraries
  if [ "${HANGAR_SKIP_SETUP:-0}" != 1 ]; then
    [ "$(uname -m)" = x86_64 ] || die "the cross build for Arm is set up on x86-64 only"
    libraries=$(arm64_libraries) || die "the arm64 libraries are known for Debian 12 only"
    set_up cross
    if [ "$HANGAR_ARM64_ROOT" = "$OWN_ARM64_ROOT" ] &&
      [ "$(cat "$OWN_ARM64_ROOT/ready" 2>/dev/null)" != "$libraries" ]; then
      with_lock arm64 fetch_arm64_libraries "$libraries"
    fi
  fi
  command -v aarch64-linux-gnu-g++ >/dev/null || die "no aarch64-linux-gnu-g++ here"
  command -v qemu-aarch64 >/dev/null || die "no qemu-aarch64 here"
  [ -d "$HANGAR_ARM64_ROOT/usr" ] || die "no arm64 libraries in $HANGAR_ARM64_ROOT"
}
