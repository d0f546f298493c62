#!/usr/bin/env bash
# Installs the Debian packages that stepwise needs and this machine lacks; where that is impossible, says what is
# missing and how to point CMake at builds of your own.
#   scripts/setup_deps.sh [--check | --optional]
# --check: only list what is missing; --optional: also packages of some tests, which are skipped without them.
# Exit code 2 when configuring cannot even start (no CMake, Ninja or C++ compiler); otherwise CMake has the last word.
set -euo pipefail

packages=(
  g++ cmake ninja-build git pkg-config
  openmpi-bin libopenmpi-dev libscalapack-openmpi-dev libelpa-dev libhdf5-openmpi-dev
  libopenblas-dev libopenblas-openmp-dev libboost-program-options-dev libboost-dev libfmt-dev zlib1g-dev
  libgtest-dev libgmock-dev
  python3-numpy python3-scipy python3-h5py python3-matplotlib
)
optional=(
  slurm-wlm munge                             # the job scripts are tested under a SLURM of their own
  python3-sklearn                             # probes are compared with it
  python3-xarray python3-h5netcdf netcdf-bin  # results are opened as others open them
)

usage() { sed -n '2,6s/^# \{0,1\}//p' "$0"; }

has_command() { command -v "$1" >/dev/null 2>&1; }

# missing_packages PACKAGE...: by Debian's own book-keeping, where there is one.
missing_packages() {
  local package
  for package; do
    if ! dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed; then
      printf '%s\n' "$package"
    fi
  done
}

# Elsewhere: what can be seen without packages. Boost, fmt and GoogleTest show only when CMake looks for them.
missing_pieces() {
  local tool
  for tool in cmake ninja git pkg-config mpicxx mpirun; do
    has_command "$tool" || printf '%s\n' "$tool"
  done
  has_command c++ || has_command g++ || printf 'a C++20 compiler (g++ 12 or newer)\n'
  if has_command pkg-config; then
    pkg-config --exists elpa || printf 'elpa.pc (ELPA)\n'
    pkg-config --exists scalapack || pkg-config --exists scalapack-openmpi || printf 'scalapack.pc (ScaLAPACK)\n'
    pkg-config --exists hdf5-openmpi || pkg-config --exists hdf5 || printf 'hdf5.pc (parallel HDF5)\n'
    pkg-config --exists openblas || pkg-config --exists blas || printf 'openblas.pc (OpenBLAS)\n'
    pkg-config --exists zlib || printf 'zlib.pc (zlib)\n'
  fi
}

list_missing_optional() {
  if has_command dpkg-query; then missing_packages "${optional[@]}"; else has_command sbatch || printf 'slurm\n'; fi
}

list_missing() {
  if has_command dpkg-query; then missing_packages "${packages[@]}"; else missing_pieces; fi
}

# How to run a command as root without being asked anything: empty for root itself, fails when there is no way.
as_root() {
  if [[ $(id -u) -eq 0 ]]; then
    "$@"
  elif has_command sudo && sudo -n true 2>/dev/null; then
    sudo -n "$@"
  else
    return 1
  fi
}

install_packages() {
  has_command apt-get || { echo "setup_deps: no apt-get here" >&2; return 1; }
  as_root true || { echo "setup_deps: neither root nor sudo without a password" >&2; return 1; }
  local options=(-q -y -o DPkg::Lock::Timeout=120)
  as_root env DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" update || return 1
  as_root env DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" install --no-install-recommends "$@"
}

hint() {
  cat >&2 <<'TEXT'

To use builds of your own instead of packages:
  cluster modules       load those for MPI, ScaLAPACK, ELPA, parallel HDF5, OpenBLAS, Boost, fmt, CMake
  ELPA, ScaLAPACK, HDF5, OpenBLAS
                        export PKG_CONFIG_PATH=/path/to/elpa/lib/pkgconfig:/path/to/hdf5/lib/pkgconfig:...
                        (modules elpa, scalapack, hdf5, openblas; HDF5 built with --enable-parallel)
  Boost, fmt, zlib, GoogleTest
                        export CMAKE_PREFIX_PATH=/path/to/boost:/path/to/fmt:/path/to/zlib:/path/to/gtest
                        (without GoogleTest: configure with -DSTEPWISE_TESTS=OFF)
  MPI                   put its mpicxx and mpirun first in PATH
  Python (tests, plots) any interpreter with numpy and h5py (matplotlib for plots): put it first in PATH
TEXT
}

check_only=false with_optional=false
case "${1:-}" in
  "") ;;
  --check) check_only=true ;;
  --optional) with_optional=true ;;
  -h | --help) usage; exit 0 ;;
  *) echo "setup_deps: unknown option '$1'" >&2; usage >&2; exit 2 ;;
esac

mapfile -t missing < <(list_missing)
mapfile -t missing_optional < <(list_missing_optional)
if [[ ${#missing_optional[@]} -gt 0 ]]; then
  echo "setup_deps: optional, missing: ${missing_optional[*]}"
  if $with_optional && has_command dpkg-query && ! install_packages "${missing_optional[@]}"; then
    echo "setup_deps: goes on without them"
  fi
fi
if [[ ${#missing[@]} -eq 0 ]]; then
  echo "setup_deps: nothing is missing"
  exit 0
fi
echo "setup_deps: missing: ${missing[*]}"
$check_only && exit 0

if has_command dpkg-query && install_packages "${missing[@]}"; then
  mapfile -t missing < <(list_missing)
  if [[ ${#missing[@]} -eq 0 ]]; then
    echo "setup_deps: installed"
    exit 0
  fi
fi

echo "setup_deps: could not install: ${missing[*]}" >&2
hint
for tool in cmake ninja; do
  has_command "$tool" || { echo "setup_deps: cannot configure without $tool" >&2; exit 2; }
done
has_command c++ || has_command g++ || { echo "setup_deps: cannot configure without a C++ compiler" >&2; exit 2; }
