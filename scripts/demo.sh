#!/usr/bin/env bash
# Sets up, builds, runs the main job on the built-in synthetic images on two ranks, and draws the result.
#   scripts/demo.sh [DIRECTORY]     where the result goes (default: build/demo)
set -euo pipefail
exec </dev/null # mpirun would read it

start=$PWD
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
case "${1:-}" in
  -h | --help) sed -n '2,3s/^# \{0,1\}//p' scripts/demo.sh; exit 0 ;;
  "") out=$PWD/build/demo ;;
  /*) out=$1 ;;
  *) out=$start/$1 ;;
esac

bash scripts/setup_deps.sh
cmake --preset release --log-level=NOTICE
cmake --build --preset release -j "$(nproc)" --target stepwise_program

mkdir -p -- "$out"
if [[ $(id -u) -eq 0 ]]; then # Open MPI refuses to run as root unless told twice
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
launch=(mpirun -n 2)
if ! "${launch[@]}" true >/dev/null 2>&1; then # fewer cores than ranks
  launch+=(--oversubscribe)
fi
command=("${launch[@]}" build/release/bin/stepwise solve
  --data.source synthetic --data.pairs 512 --data.test 128 --views.crop 20
  --kernel.type ntk --kernel.depth 3 --modes 10 --dynamics.alpha 1e-7 --seed 1
  --output "$out/demo.h5" --force)
echo
printf '%q ' "${command[@]}"
echo
"${command[@]}"

echo
for python in python3 /usr/bin/python3; do
  if "$python" -c 'import h5py, matplotlib' >/dev/null 2>&1; then
    "$python" scripts/plot.py "$out/demo.h5" -o "$out/demo.png"
    echo "result:  $out/demo.h5"
    echo "picture: $out/demo.png"
    exit 0
  fi
done
echo "result:  $out/demo.h5"
echo "no picture: no Python with h5py and matplotlib (Debian: python3-h5py python3-matplotlib)"
