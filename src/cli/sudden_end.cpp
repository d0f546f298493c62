#include "cli/sudden_end.hpp"

#include <fmt/format.h>
#include <mpi.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace stepwise {
namespace {

struct DeadlySignal {
  int number;
  const char* meaning;
};
constexpr std::array deadly_signals{DeadlySignal{SIGSEGV, "segmentation fault; where memory is limited, perhaps that"},
                                    DeadlySignal{SIGBUS, "bus error; perhaps a file system is full or gone"},
                                    DeadlySignal{SIGFPE, "arithmetic exception"},
                                    DeadlySignal{SIGILL, "illegal instruction; built for another processor?"},
                                    DeadlySignal{SIGABRT, "abort() was called, perhaps by a library"}};

/// What the handlers need. Texts are made beforehand: a signal handler must not allocate.
struct Watched {
  int rank = 0;
  pid_t process = 0;  // a forked child has ends of its own; 0: all ends are intended
  std::array<std::string, deadly_signals.size()> texts;
  std::array<struct sigaction, deadly_signals.size()> before{};
  std::array<std::byte, 1 << 16> stack{};  // the usual one may be what overflowed
};
Watched watched;

/// Says which signal it is, then leaves it to whoever handled it before: MPI prints a stack trace, then the process
/// dies of it and the job with it.
void on_deadly_signal(int number, siginfo_t* info, void* /*context*/) {
  for (std::size_t i = 0; i < deadly_signals.size(); ++i) {
    if (deadly_signals[i].number != number) continue;
    if (watched.process == getpid()) (void)!write(STDERR_FILENO, watched.texts[i].data(), watched.texts[i].size());
    sigaction(number, &watched.before[i], nullptr);
  }
  // What an instruction caused comes again by itself.
  if (info->si_code <= 0) raise(number);
}

/// Peers would wait for ever for a rank that leaves by exit().
void on_exit_called() {
  if (watched.process != getpid()) return;
  abort_job(ExitCode::internal, "exit() was called in the middle of the run, perhaps by a library");
}

/// HDF5 would return the error on this rank while the others wait inside it for this one. An error of opening is a
/// common one, and needs no abort.
void on_file_error(MPI_File* file, int* code, ...) {
  if (*file == MPI_FILE_NULL) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(*code, text.data(), &length);
  abort_job(ExitCode::io, fmt::format("writing or reading a file failed: {}", text.data()));
}

}  // namespace

void complain(const std::string& message) {
  fmt::print(stderr, "stepwise: error: {}\n", message);
  std::fflush(stderr);
}

void announce_sudden_ends(int rank) {
  watched.rank = rank;
  watched.process = getpid();
  std::atexit(on_exit_called);

  MPI_Errhandler handler = MPI_ERRHANDLER_NULL;
  MPI_File_create_errhandler(on_file_error, &handler);
  MPI_File_set_errhandler(MPI_FILE_NULL, handler);  // what files get when they are opened
  MPI_Errhandler_free(&handler);

  stack_t stack{};
  stack.ss_sp = watched.stack.data();
  stack.ss_size = watched.stack.size();
  sigaltstack(&stack, nullptr);
  for (std::size_t i = 0; i < deadly_signals.size(); ++i) {
    const auto [number, meaning] = deadly_signals[i];
    watched.texts[i] = fmt::format("stepwise: error: [rank {}] killed by signal {} ({})\n", rank, number, meaning);
    struct sigaction action {};
    action.sa_sigaction = on_deadly_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(number, &action, &watched.before[i]);
  }
}

void expect_end() {
  watched.process = 0;
}

void abort_job(ExitCode code, const std::string& message) {
  complain(fmt::format("[rank {}] {}", watched.rank, message));
  abort_job(code);
}

void abort_job(ExitCode code) {
  constexpr unsigned patience = 10;
  expect_end();
  std::signal(SIGALRM, SIG_DFL);
  alarm(patience);  // should MPI_Abort hang, SIGALRM kills this process
  MPI_Abort(MPI_COMM_WORLD, static_cast<int>(code));
  for (;;) pause();  // another thread was faster
}

}  // namespace stepwise
