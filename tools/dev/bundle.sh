# ./dev bundle: bin/hangar with the shared libraries it needs, all but the C library's own, in one tar
# that runs from any folder of any x86-64 Linux whose C library is as new or newer. With the CUDA part:
# libhangar_cuda.so, the tests and benchmarks of the card (bench/gpu_table.py and the shapes among them), and a
# ./dev to run them; CUDA's own libraries are taken from the machine it runs on. --racecheck: with kernels that
# compute-sanitizer's racecheck can follow, for ./dev test --gpu --tool racecheck and nothing else.
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

# CUDA's own libraries and the driver's are never brought along: too large, or of the machine.
CUDA_LIBRARY='^lib(cublas|cublasLt|cuda|cudart|nv[a-zA-Z]*|nvidia-.*)\.so'

# put FOLDER LIBRARY_PATH FILE: stripped, finding its libraries there.
put() {
  install -m 755 "$3" "$1/"
  strip --strip-unneeded "$1/$(basename "$3")"
  patchelf --set-rpath "$2" "$1/$(basename "$3")"
}

make_bundle() {
  local cuda=auto part_size='' version name folder scratch archive preset=release programs program
  while [ $# -gt 0 ]; do
    case $1 in
      --cuda) cuda=yes ;;
      --no-cuda) cuda=no ;;
      --racecheck) cuda=yes preset=racecheck ;;
      --split=*) part_size=${1#*=} ;;
      --split)
        [ $# -gt 1 ] || die "bundle: --split wants a size (30M)"
        part_size=$2
        shift
        ;;
      *) die "bundle: no such option: $1 (there are --cuda, --no-cuda, --racecheck and --split SIZE)" ;;
    esac
    shift
  done
  set_up bundle
  if [ "$cuda" = auto ]; then
    if find_cuda >/dev/null; then cuda=yes; else say "no nvcc 13 here: the bundle is without the CUDA part"; fi
  fi
  version=$(sed -n 's/^project(hangar VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
  name=hangar-$version-x86_64
  if [ "$cuda" = yes ]; then
    [ "$preset" = racecheck ] || preset=cuda
    name+=-$preset
    set_up_cuda
    programs=("${GPU_TESTS[@]}" hangar_cuda_bench)
    build "$preset" hangar hangar_cuda "${programs[@]}"
  else
    programs=()
    build release hangar
  fi
  archive=build/$name.tar.gz
  scratch=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$scratch'" EXIT
  folder=$scratch/$name
  mkdir -p "$folder/bin" "$folder/lib"
  # shellcheck disable=SC2016
  {
    put "$folder/bin" '$ORIGIN/../lib' "build/$preset/hangar"
    for program in "${programs[@]}"; do
      put "$folder/bin" '$ORIGIN/../lib:/usr/local/cuda/lib64' "build/$preset/bin/$program"
    done
    if [ "$cuda" = yes ]; then
      put "$folder/lib" '$ORIGIN:/usr/local/cuda/lib64' "build/$preset/lib/libhangar_cuda.so"
    fi
  }
  {
    for program in "$folder"/bin/* "$folder"/lib/*.so; do
      if [ -e "$program" ]; then needed_libraries "build/$preset/$(built_path "$program")" || true; fi
    done
    loaded_library libcurl.so.4
  } | grep -vE "$CUDA_LIBRARY" | sort -u >"$scratch/libraries"
  while read -r library path; do
    install -m 644 "$(realpath "$path")" "$folder/lib/$library"
    # shellcheck disable=SC2016
    patchelf --set-rpath '$ORIGIN' "$folder/lib/$library"
  done <"$scratch/libraries"
  if [ "$cuda" = yes ]; then
    mkdir -p "$folder/share/dev" "$folder/share/tests/data"
    cp -r tests/golden "$folder/share/tests/golden"
    cp -r tests/data/models "$folder/share/tests/data/models"
    rm -f "$folder"/share/tests/golden/*.{cc,h}
    # Where they are in the tree: what the docs say of bench/shapes holds in a bundle too.
    mkdir -p "$folder/bench/gpu"
    install -m 755 bench/gpu_table.py "$folder/bench/"
    install -m 644 bench/gpu/*.py "$folder/bench/gpu/"
    cp -r bench/shapes "$folder/bench/shapes"
    install -m 755 tools/dev/bundle_dev.sh "$folder/dev"
    install -m 644 tools/dev/gpu.sh "$folder/share/dev/"
    [ "$preset" != racecheck ] || : >"$folder/share/racecheck"
  fi
  copy_licenses "$folder" <"$scratch/libraries"
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-$(date +%s)}" \
    -C "$scratch" -czf "$archive.part" "$name"
  mv -f "$archive.part" "$archive"
  try_bundle "$archive" "$name" "$scratch/elsewhere"
  say "$archive: $(du -h "$archive" | cut -f1), $(wc -l <"$scratch/libraries") libraries"
  rm -f "$archive".part-*
  if [ -n "$part_size" ]; then
    split --bytes="$part_size" --numeric-suffixes=1 --suffix-length=2 "$archive" "$archive.part-"
    say "in $(find build -name "$name.tar.gz.part-*" | wc -l) parts; to unpack: cat $name.tar.gz.part-* | tar -xz"
  fi
  # What a machine is lent for takes no more.
  [ "$(stat -c %s "$archive")" -le "$MOST_BUNDLE_BYTES" ] ||
    die "$archive is over $((MOST_BUNDLE_BYTES >> 20)) MiB"
}
MOST_BUNDLE_BYTES=$((60 << 20))

# Where in the build folder a file of the bundle came from.
built_path() {
  case $(basename "$1") in
    hangar) echo hangar ;;
    *.so) echo "lib/$(basename "$1")" ;;
    *) echo "bin/$(basename "$1")" ;;
  esac
}

# Unpacked somewhere else and run with nothing in its environment, it must use its own libraries only.
try_bundle() {
  local root=$3/$2 program strange
  mkdir -p "$3"
  tar -C "$3" -xzf "$1"
  for program in "$root"/bin/* "$root"/lib/libhangar_cuda.so; do
    [ -e "$program" ] || continue
    strange=$(env -i /usr/bin/ldd "$program" | grep '=>' | grep -vF "$root/" | awk '{print $1}' |
      grep -vE "$C_LIBRARY|$CUDA_LIBRARY" || true)
    [ -z "$strange" ] || die "the bundle's $(basename "$program") would take from the system: $strange"
  done
  env -i "$root/bin/hangar" --version >&2 || die "the bundle's hangar does not start"
  env -i "$root/bin/hangar" devices >&2 || die "the bundle's hangar lists no devices"
  if [ -e "$root/dev" ]; then
    env -i PATH=/usr/bin:/bin "$root/dev" help >/dev/null || die "the bundle's dev does not start"
    env -i PATH="$PATH" PYTHONDONTWRITEBYTECODE=1 python3 "$root/bench/gpu_table.py" --list >/dev/null ||
      die "the bundle's bench/gpu_table.py does not start"
  fi
}
