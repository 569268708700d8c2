# ./dev bundle: bin/hangar with the shared libraries it needs, all but the C library's own, in one tar
# that runs from any folder of any x86-64 Linux whose C library is as new or newer.
C_LIBRARY='^(ld-linux.*|libc|libm|libdl|librt|libpthread|libresolv|libutil|libnsl|linux-vdso)\.so'

# needed_libraries FILE: "name path" of each.
needed_libraries() {
  ldd "$1" | sed -n 's/^[[:space:]]*\([^ ]*\) => \(\/[^ ]*\) .*/\1 \2/p' | grep -vE "$C_LIBRARY" | sort -u
}

# The same of a library that is loaded only when wanted: itself, and what it needs.
loaded_library() {
  local path
  path=$(/sbin/ldconfig -p | sed -n "s,^[[:space:]]*$1 (.*x86-64.*) => \\(/.*\\)\$,\\1,p" | head -1)
  [ -n "$path" ] || die "no $1 here: the bundle could not pull models"
  echo "$1 $path"
  needed_libraries "$path"
}

# The licence texts of everything that is inside: the libraries, and the headers compiled in.
copy_licenses() {
  local folder=$1 package
  cp LICENSE "$folder/LICENSE"
  mkdir -p "$folder/LICENSES"
  for package in $(
    while read -r _ path; do
      # Debian's merged /usr: dpkg may know the file by either name.
      dpkg-query -S "$(realpath "$path")" "$(realpath "$path" | sed 's,^/usr,,')" 2>/dev/null | cut -d: -f1
    done
    packages_for build | tr ' ' '\n' | grep -E '^lib.*-dev$' | grep -vE 'gtest|gmock|benchmark'
  ); do
    [ -f "/usr/share/doc/$package/copyright" ] && cp -L "/usr/share/doc/$package/copyright" "$folder/LICENSES/$package.txt"
  done
}

make_bundle() {
  local version name folder scratch archive
  set_up bundle
  build release hangar
  version=$(sed -n 's/^project(hangar VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
  name=hangar-$version-x86_64
  archive=build/$name.tar.gz
  scratch=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$scratch'" EXIT
  folder=$scratch/$name
  mkdir -p "$folder/bin" "$folder/lib"
  install -m 755 build/release/hangar "$folder/bin/hangar"
  strip --strip-unneeded "$folder/bin/hangar"
  # shellcheck disable=SC2016
  patchelf --set-rpath '$ORIGIN/../lib' "$folder/bin/hangar"
  {
    needed_libraries build/release/hangar
    loaded_library libcurl.so.4
  } | sort -u >"$scratch/libraries"
  while read -r library path; do
    install -m 644 "$(realpath "$path")" "$folder/lib/$library"
    # shellcheck disable=SC2016
    patchelf --set-rpath '$ORIGIN' "$folder/lib/$library"
  done <"$scratch/libraries"
  copy_licenses "$folder" <"$scratch/libraries"
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-$(date +%s)}" \
    -C "$scratch" -czf "$archive.part" "$name"
  mv -f "$archive.part" "$archive"
  try_bundle "$archive" "$name" "$scratch/elsewhere"
  say "$archive: $(du -h "$archive" | cut -f1), $(wc -l <"$scratch/libraries") libraries"
}

# Unpacked somewhere else and run with nothing in its environment, it must use its own libraries only.
try_bundle() {
  local program=$3/$2/bin/hangar strange
  mkdir -p "$3"
  tar -C "$3" -xzf "$1"
  strange=$(env -i /usr/bin/ldd "$program" | grep '=>' | grep -vF "$3/$2/" | awk '{print $1}' | grep -vE "$C_LIBRARY" || true)
  [ -z "$strange" ] || die "the bundle would take from the system: $strange"
  env -i "$program" --version >&2 || die "the bundle's hangar does not start"
}
