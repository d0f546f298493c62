"""A SLURM on this machine alone, in a directory of its own, on free ports; it touches nothing of the system's SLURM."""
from __future__ import annotations

import atexit
import ctypes
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

SLURM_CONF = """\
ClusterName=stepwise
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=15
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0,bf_interval=2
ReturnToService=2
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
TmpFS={folder}/tmp.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
# The address is of no use to other machines; every node has its own port.
NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} RealMemory={memory} State=UNKNOWN\n"

TOOLS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "scontrol", "squeue")


class Unavailable(Exception):
    """SLURM is not installed here, or does not start."""


def find_tool(name: str) -> str:
    """Daemons live in sbin directories, which are not on every user's PATH."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin")
    if not found:
        raise Unavailable(f"no {name} (Debian: slurm-wlm munge)")
    return found


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def end_with_parent() -> None:
    """A daemon ends also when this process is killed."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Cluster:
    """with Cluster() as cluster: ...; everything it started has ended afterwards.

    Several nodes are as many slurmd on this machine. cpus: what SLURM believes each has; more than there are is allowed.
    """

    def __init__(self, nodes: int = 1, cpus: int | None = None) -> None:
        self.names = [f"node{i}" for i in range(nodes)]
        self.cpus = cpus or len(os.sched_getaffinity(0))
        self.daemons: list[subprocess.Popen] = []

    def __enter__(self) -> "Cluster":
        tools = {name: find_tool(name) for name in TOOLS}
        self.folder = Path(tempfile.mkdtemp(prefix="stepwise-slurm-"))
        atexit.register(self.stop)  # unittest leaves no other place on Ctrl-C
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            self.start(tools)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def start(self, tools: dict[str, str]) -> None:
        os.chmod(self.folder, 0o755)  # munged wants a socket that everybody can reach
        (self.folder / "state").mkdir()
        for name in self.names:
            (self.folder / f"spool.{name}").mkdir()
            (self.folder / f"tmp.{name}").mkdir()
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(128))
        controller_port, *node_ports = free_ports(1 + len(self.names))
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        conf = self.folder / "slurm.conf"
        host = socket.gethostname().split(".")[0]
        text = SLURM_CONF.format(folder=self.folder, host=host, user=pwd.getpwuid(os.getuid()).pw_name,
                                 controller_port=controller_port)
        for name, port in zip(self.names, node_ports):
            text += NODE.format(name=name, host=host, port=port, cpus=self.cpus, memory=memory)
        conf.write_text(text)
        # Nothing of a job that this may be running in.
        inherited = {name: value for name, value in os.environ.items()
                     if not re.match(r"SLURM|SBATCH|SRUN|SALLOC|PMIX|OMPI_COMM|PRTE", name)}
        self.environment = dict(inherited, SLURM_CONF=str(conf))

        self.start_daemon(tools["munged"], "--foreground", f"--socket={self.folder}/munge.socket", f"--key-file={key}",
                          f"--pid-file={self.folder}/munged.pid", f"--log-file={self.folder}/munged.log",
                          f"--seed-file={self.folder}/munged.seed")
        self.wait_until("munged", lambda: (self.folder / "munge.socket").exists())
        self.start_daemon(tools["slurmctld"], "-D", "-c", "-f", str(conf))
        for name in self.names:
            self.start_daemon(tools["slurmd"], "-D", "-c", "-N", name, "-f", str(conf))
        self.wait_until("slurmd", lambda: self.ask("sinfo", "-h", "-N", "-o", "%t").split() == ["idle"] * len(self.names))

    def start_daemon(self, *command: str) -> None:
        with open(self.folder / f"{len(self.daemons)}.out", "wb") as log:
            self.daemons.append(subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                                                 stderr=subprocess.STDOUT, preexec_fn=end_with_parent))

    def wait_until(self, what: str, ready) -> None:
        """@raises Unavailable with the daemons' last words."""
        deadline = time.monotonic() + 30
        while not ready():
            ended = [each.args[0] for each in self.daemons if each.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise Unavailable(f"{ended[0] if ended else what} does not start: {self.last_words()}")
            time.sleep(0.2)

    def last_words(self) -> str:
        lines = [line for log in sorted(self.folder.glob("*.log")) + sorted(self.folder.glob("*.out"))
                 for line in log.read_text(errors="replace").splitlines() if "error" in line.lower()]
        return " | ".join(lines[-5:]) or "no error in the logs"

    def stop(self) -> None:
        if len(self.daemons) == 2 + len(self.names):
            self.ask("scancel", "--full", *self.jobs())
            deadline = time.monotonic() + 40  # KillWait is 30 s
            while self.jobs() and time.monotonic() < deadline:
                time.sleep(0.2)
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self.daemons.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *command: str, **options) -> subprocess.CompletedProcess:
        """A command that talks to this SLURM."""
        return subprocess.run(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=options.pop("timeout", 120),
                              env=dict(self.environment, **options.pop("environment", {})), **options)

    def ask(self, *command: str) -> str:
        return self.run(*command).stdout

    def jobs(self) -> list[str]:
        """Those that have not ended yet."""
        return self.ask("squeue", "-h", "-o", "%A").split()

    def job(self, number: str) -> dict[str, str]:
        """What SLURM knows of a job: JobState, ExitCode, Restarts, ...; of an array, the task that is furthest behind."""
        records = self.ask("scontrol", "show", "job", number).split("\n\n")
        tasks = [dict(re.findall(r"(\S+?)=(\S*)", record)) for record in records if "JobState=" in record]
        order = ["PENDING", "RUNNING", "COMPLETING", "FAILED", "COMPLETED"]
        return min(tasks, key=lambda task: order.index(task["JobState"]) if task["JobState"] in order else 3, default={})
