#!/bin/bash
# Submits three jobs on one node each, every one after the success of the one before:
#   kernel.h5     stepwise kernel --config DIRECTORY/kernel.ini    data, views, kernel
#   result.h5     stepwise solve  --config DIRECTORY/solve.ini     modes, solver, dynamics: of the kernel above
#   embedding.h5  stepwise embed  --config DIRECTORY/embed.ini     the samples to embed: data.source, data.path
# in that directory. Run on a login node; options of sbatch behind the directory:
#   jobscripts/chain.sh study --time=01:00:00 --ntasks-per-node=64
# Steps whose file is there already are left out.
set -euo pipefail
[[ $# -gt 0 && -d $1 ]] || { echo "usage: chain.sh DIRECTORY [OPTIONS OF SBATCH]" >&2; exit 2; }
directory=$1 options=("${@:2}")
STEPWISE_JOBSCRIPTS=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
export STEPWISE_JOBSCRIPTS

after=() # sbatch's words for: once the job before has succeeded
submit() { # submit COMMAND FILE SETTINGS...
  local command=$1 file=$directory/$2 job
  if [[ -e $file ]]; then
    echo "$file is there already"
    return
  fi
  # Without success before, the job is taken out of the queue rather than kept waiting for ever.
  job=$(sbatch --parsable --job-name="stepwise-$command" --output="$directory/$command-%j.log" \
    --kill-on-invalid-dep=yes "${after[@]}" "${options[@]}" "$STEPWISE_JOBSCRIPTS/one_node.sbatch" \
    "$command" --config "$directory/$command.ini" "${@:3}" --output "$file")
  job=${job%%;*} # a cluster's name may follow
  after=(--dependency="afterok:$job")
  echo "$file: job $job"
}

submit kernel kernel.h5
submit solve result.h5 --kernel.type precomputed --kernel.path "$directory/kernel.h5"
submit embed embedding.h5 --model "$directory/result.h5"
