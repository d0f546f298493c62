# Sourced by the job scripts: what the site needs, and how ranks and threads are started.
#
#   STEPWISE            the program (stepwise on PATH)
#   STEPWISE_LAUNCHER   srun (default) or mpirun
#   STEPWISE_SRUN       options of srun (--mpi=pmix, for Open MPI; srun --mpi=list shows what there is)
#   STEPWISE_MPIRUN     options of mpirun (Open MPI's for one rank per task on cores of its own)

# Modules of your site:
# module load gcc openmpi hdf5-parallel elpa scalapack openblas

stepwise=${STEPWISE:-stepwise}
command -v "$stepwise" >/dev/null || { echo "no program '$stepwise': install it, load its module or set STEPWISE" >&2; exit 2; }

# One thread per core that a rank was given, whether or not this site binds ranks to their cores.
export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK
# Since Slurm 22.05 srun does not take this over from the job.
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK

# launch COMMAND [SETTINGS]: stepwise on every task of the job; returns stepwise's exit code.
# SIGUSR1 to this shell goes on to the ranks, under mpirun too. After SIGTERM (scancel, the time limit) SLURM tells
# srun's ranks itself, and this shell stays until they have ended. `stopped_by` is the last signal.
stopped_by=
launch() {
  local launcher status
  case ${STEPWISE_LAUNCHER:-srun} in
    srun) launcher="srun ${STEPWISE_SRUN:---mpi=pmix}" ;;
    mpirun) launcher="mpirun -n $SLURM_NTASKS ${STEPWISE_MPIRUN:---map-by slot:PE=$SLURM_CPUS_PER_TASK}" ;;
    *) echo "STEPWISE_LAUNCHER is '$STEPWISE_LAUNCHER', not srun or mpirun" >&2; return 2 ;;
  esac
  $launcher "$stepwise" "$@" & # not quoted: words
  trap "stopped_by=USR1 signalled=1; kill -USR1 $! || true" USR1
  trap "stopped_by=TERM signalled=1" TERM
  while true; do
    signalled=0 status=0
    wait $! || status=$?
    [[ $signalled -eq 1 ]] || return "$status" # a signal ends `wait`, not the program
  done
}
