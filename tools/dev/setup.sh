# The packages Hangar is built from, by apt, only those that are missing.
# A second call asks dpkg once (well under 0.2 s) and is done; no network is touched.

# build: what the program and its tests are made of; all: and what checks and sanitizer runs need;
# bundle: build and what a bundle is made with; cross: build and what builds and runs for Arm.
packages_for() {
  local boost
  case "$(. /etc/os-release && echo "$ID-$VERSION_ID")" in
    debian-12) boost=1.81 ;;
    ubuntu-24.04) boost=1.83 ;;
    *) return 1 ;;
  esac
  echo g++ cmake ninja-build pkg-config ccache curl ca-certificates \
    "libboost$boost-dev" "libboost-json$boost-dev" "libboost-url$boost-dev" \
    libexpected-dev libpcre2-dev libutf8proc-dev libcli11-dev libtomlplusplus-dev libspdlog-dev \
    libfmt-dev libhwy-dev libxxhash-dev libedit-dev prometheus-cpp-dev libcurl4-openssl-dev libssl-dev libjs-chart.js \
    libgtest-dev libgmock-dev libbenchmark-dev
  # The system's python3 has its venv in a package of its own; any other brings it along.
  if [ "$(command -v python3)" = /usr/bin/python3 ]; then echo python3-venv; fi
  if [ "$1" = bundle ]; then echo patchelf binutils; fi
  if [ "$1" = cross ]; then echo g++-aarch64-linux-gnu qemu-user; fi
  if [ "$1" = all ]; then
    echo clang-19 clang-format-19 libclang-rt-19-dev shellcheck
  fi
}

missing_packages() {
  local wanted have
  wanted=$(tr -s ' \n' '\n' <<<"$1" | sort)
  # shellcheck disable=SC2086
  have=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' $wanted 2>/dev/null | sed -n 's/^ii *//p' | sort)
  comm -23 <(echo "$wanted") <(echo "$have")
}

install_packages() {
  local as_root=() missing
  missing=$(missing_packages "$1" | tr '\n' ' ')
  [ -n "$missing" ] || return 0  # whoever held the lock before us installed them
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "not root and no sudo. As root: apt-get install $missing"
    as_root=(sudo)
    [ -t 0 ] || as_root=(sudo -n)
  fi
  say "installing $missing"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600)
  "${apt[@]}" update </dev/null >&2 || say "apt-get update failed; trying with the lists that are here"
  # shellcheck disable=SC2086
  "${apt[@]}" install -y --no-install-recommends $missing </dev/null >&2 ||
    die "apt-get could not install: $missing"
}

set_up() {
  [ "${HANGAR_SKIP_SETUP:-0}" = 1 ] && return 0
  command -v python3 >/dev/null || die "python3 is needed: install it first"
  local packages
  if ! packages=$(packages_for "$1") || ! command -v dpkg-query >/dev/null; then
    die "packages are known for Debian 12 and Ubuntu 24.04 only. Install the like of
  Boost >= 1.81 (asio, beast, json, url), tl-expected, PCRE2, utf8proc, CLI11, toml++, spdlog, fmt, Highway,
  xxhash, libedit, prometheus-cpp, libcurl, OpenSSL, Chart.js 3, GoogleTest, Google Benchmark, cmake, ninja, curl, clang-19 with its
  tools and runtimes
and set HANGAR_SKIP_SETUP=1"
  fi
  if [ -n "$(missing_packages "$packages")" ]; then
    command -v apt-get >/dev/null || die "no apt-get here; missing: $(missing_packages "$packages" | tr '\n' ' ')"
    with_lock setup install_packages "$packages"
  fi
}
