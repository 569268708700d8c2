# The CUDA part's compiler: one that is on the machine, or NVIDIA's own packages for pip in the cache folder.
# All it takes is nvcc 13, the runtime and cuBLASLt; no driver and no card.
OWN_CUDA=$CACHE/cuda-13.0
# nvcc with its parts, the C++ library it brings, the runtime and cuBLAS: of one release, pinned.
CUDA_WHEELS=(nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88
  nvidia-cuda-cccl==13.0.85 nvidia-cuda-runtime==13.0.96 nvidia-cublas==13.1.0.3)

# usable_cuda FOLDER: a toolkit that the CUDA part can be built with.
usable_cuda() {
  [ -x "$1/bin/nvcc" ] && [ -f "$1/include/cublasLt.h" ] && [ -f "$1/include/cuda_runtime.h" ] &&
    "$1/bin/nvcc" --version 2>/dev/null | grep -q 'release 13\.'
}

# Prints the first such folder: CUDA_HOME's, the one that nvcc on the PATH is of, the usual one, ours.
find_cuda() {
  local folder candidates=("${CUDA_HOME:-}") compiler
  compiler=$(command -v nvcc) && candidates+=("$(dirname "$(dirname "$(realpath "$compiler")")")")
  candidates+=(/usr/local/cuda "$OWN_CUDA")
  for folder in "${candidates[@]}"; do
    if [ -n "$folder" ] && usable_cuda "$folder"; then
      echo "$folder"
      return 0
    fi
  done
  return 1
}

fetch_cuda() {
  usable_cuda "$OWN_CUDA" && return 0  # another ./dev fetched it while we waited
  local scratch root
  [ "$(uname -m)" = x86_64 ] || die "no nvcc 13 here, and its packages are known for x86-64 only"
  say "no nvcc 13 here: fetching NVIDIA's packages (600 MB, once)"
  mkdir -p "$CACHE"
  rm -rf "$OWN_CUDA".fetch.*  # left by one that was killed: we hold the lock
  scratch=$(mktemp -d "$OWN_CUDA.fetch.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$scratch'" EXIT
  unpack_wheels "$scratch" "${CUDA_WHEELS[@]}" ||
    die "no nvcc 13 here, and its packages could not be downloaded or unpacked (why is above)"
  root=$scratch/unpacked/nvidia/cu13
  [ -d "$root" ] || die "NVIDIA's packages have another layout than expected: no nvidia/cu13"
  # What the packages leave out: the right to run, and the names that linkers look for.
  chmod +x "$root"/bin/* "$root"/nvvm/bin/*
  (
    cd "$root/lib" || exit 1
    for library in *.so.*; do ln -sf "$library" "${library%%.so.*}.so"; done
  )
  ln -sfn lib "$root/lib64"
  mv "$root" "$OWN_CUDA"
  usable_cuda "$OWN_CUDA" || die "NVIDIA's packages make no toolkit that can be used: see $OWN_CUDA"
}

# After it CUDA_HOME is a toolkit.
set_up_cuda() {
  local folder
  set_up build
  if ! folder=$(find_cuda); then
    [ "${HANGAR_SKIP_SETUP:-0}" = 1 ] && die "no nvcc 13 here (CUDA_HOME, PATH, /usr/local/cuda)"
    with_lock cuda fetch_cuda || exit 1
    folder=$OWN_CUDA
  fi
  export CUDA_HOME=$folder
}

# Whether programs here could use a card: the driver's library, and a card that it lists.
gpu_here() {
  if command -v nvidia-smi >/dev/null; then
    nvidia-smi -L 2>/dev/null | grep -q '^GPU '
  else
    /sbin/ldconfig -p 2>/dev/null | grep -q 'libcuda\.so\.1 ' && [ -e /dev/nvidia0 ]
  fi
}
