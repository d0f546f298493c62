// Loaded into the program by LD_PRELOAD: one fault on one rank, at one moment.
//
//   STEPWISE_FAULT_RANK=2 STEPWISE_FAULT=WHAT@MOMENT[#N]
//
// MOMENT: the N-th (from 1) call on that rank of
//   allreduce       MPI_Allreduce
//   allreduce:PART  the same, once a file whose name has PART in it has been opened
//   open:PART       open() of a file whose name has PART in it
//   write:PART      write() or one of its relatives to such a file
//   malloc:BYTES    malloc() of so many bytes or more
// WHAT: the call itself fails, with
//   EACCES, EIO, ENOSPC, ...  an error; a full disk stays full
//   short           half of the bytes, once
//   null            no memory
// or before the call the rank ends or stands still:
//   throw, exit, _exit, abort, segv, fpe, kill, mpi_abort, stop (SIGSTOP), sleep (for ever)
// or it only keeps the others waiting: busy (for 12 s)
#include <dlfcn.h>
#include <fcntl.h>
#include <mpi.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

extern "C" void* __libc_malloc(std::size_t bytes);

namespace {

// Arrays and no strings: this runs inside malloc, and before the program's constructors.
struct Fault {
  bool armed = false;
  char what[32] = "";
  char moment[32] = "";
  char part[128] = "";
  std::size_t bytes = 0;
  long nth = 1;
};

bool on_wanted_rank(const char* wanted) {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"}) {
    if (const char* rank = std::getenv(name)) return std::strcmp(rank, wanted) == 0;
  }
  return false;
}

Fault read_fault() {
  Fault fault;
  const char* text = std::getenv("STEPWISE_FAULT");
  const char* rank = std::getenv("STEPWISE_FAULT_RANK");
  if (text == nullptr || rank == nullptr || !on_wanted_rank(rank)) return fault;
  if (const char* number = std::strrchr(text, '#')) fault.nth = std::atol(number + 1);
  if (std::sscanf(text, "%31[^@]@%31[^:#]:%127[^#]", fault.what, fault.moment, fault.part) < 2) return fault;
  fault.bytes = static_cast<std::size_t>(std::atoll(fault.part));
  fault.armed = true;
  return fault;
}

Fault& fault() {
  static Fault fault = read_fault();
  return fault;
}

std::atomic<long> calls = 0;
std::atomic<bool> opened = false;
volatile int* volatile nowhere = nullptr;

bool wants(const char* word) {
  return std::strcmp(fault().what, word) == 0;
}

int wanted_error() {
  if (wants("EACCES")) return EACCES;
  if (wants("EIO")) return EIO;
  if (wants("ENOSPC")) return ENOSPC;
  return 0;
}

void end_or_stand_still() {
  if (wants("throw")) throw std::runtime_error("thrown by the test");
  if (wants("exit")) std::exit(0);
  if (wants("_exit")) _exit(0);
  if (wants("abort")) std::abort();
  if (wants("mpi_abort")) MPI_Abort(MPI_COMM_WORLD, 9);
  if (wants("segv")) *nowhere = 1;
  if (wants("fpe")) std::raise(SIGFPE);
  if (wants("kill")) std::raise(SIGKILL);
  if (wants("stop")) std::raise(SIGSTOP);
  while (wants("sleep")) pause();
  if (wants("busy")) {
    const double start = MPI_Wtime();
    while (MPI_Wtime() - start < 12) continue;
  }
}

/// True when this call shall fail; may not return at all.
bool strikes() {
  const long call = ++calls;
  const bool lasts = wants("ENOSPC");
  if (call < fault().nth || (call > fault().nth && !lasts)) return false;
  end_or_stand_still();
  return true;
}

bool moment_is(const char* moment) {
  return fault().armed && std::strcmp(fault().moment, moment) == 0;
}

bool file_strikes(const char* moment, const char* name) {
  return moment_is(moment) && name != nullptr && std::strstr(name, fault().part) != nullptr && strikes();
}

void note_open(const char* name) {
  if (moment_is("allreduce") && name != nullptr && std::strstr(name, fault().part) != nullptr) opened = true;
}

bool write_strikes(int descriptor) {
  if (!moment_is("write")) return false;
  char link[64];
  char name[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, name, sizeof name - 1);
  if (length < 0) return false;
  name[length] = '\0';
  return file_strikes("write", name);
}

template <class Function>
Function original(const char* name, Function) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

/// What a write of `bytes` does instead of writing all: how many bytes are left to write, or -1 with errno.
ssize_t spoiled(std::size_t bytes) {
  if (wants("short") && bytes > 1) return static_cast<ssize_t>(bytes / 2);
  errno = wanted_error();
  return errno != 0 ? -1 : static_cast<ssize_t>(bytes);
}

}  // namespace

extern "C" {

int MPI_Allreduce(const void* in, void* out, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm) {
  if (moment_is("allreduce") && (fault().part[0] == '\0' || opened)) (void)strikes();
  return PMPI_Allreduce(in, out, count, type, op, comm);
}

void* malloc(std::size_t bytes) {
  // read_fault() allocates nothing, but its guard may: small blocks never ask.
  if (bytes >= 4096 && moment_is("malloc") && bytes >= fault().bytes && strikes()) {
    errno = ENOMEM;
    return nullptr;
  }
  return __libc_malloc(bytes);
}

#define FAULTY_OPEN(NAME)                                                              \
  int NAME(const char* path, int flags, ...) {                                         \
    va_list more;                                                                      \
    va_start(more, flags);                                                             \
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;             \
    va_end(more);                                                                      \
    note_open(path);                                                                   \
    if (file_strikes("open", path) && wanted_error() != 0) {                           \
      errno = wanted_error();                                                          \
      return -1;                                                                       \
    }                                                                                  \
    static const auto next = original<int (*)(const char*, int, ...)>(#NAME, nullptr); \
    return next(path, flags, mode);                                                    \
  }
FAULTY_OPEN(open)
FAULTY_OPEN(open64)

ssize_t write(int descriptor, const void* data, std::size_t bytes) {
  static const auto next = original<ssize_t (*)(int, const void*, std::size_t)>("write", nullptr);
  if (!write_strikes(descriptor)) return next(descriptor, data, bytes);
  const ssize_t left = spoiled(bytes);
  return left < 0 ? -1 : next(descriptor, data, static_cast<std::size_t>(left));
}

#define FAULTY_PWRITE(NAME, OFFSET)                                                                        \
  ssize_t NAME(int descriptor, const void* data, std::size_t bytes, OFFSET offset) {                       \
    static const auto next = original<ssize_t (*)(int, const void*, std::size_t, OFFSET)>(#NAME, nullptr); \
    if (!write_strikes(descriptor)) return next(descriptor, data, bytes, offset);                          \
    const ssize_t left = spoiled(bytes);                                                                   \
    return left < 0 ? -1 : next(descriptor, data, static_cast<std::size_t>(left), offset);                 \
  }
FAULTY_PWRITE(pwrite, off_t)
FAULTY_PWRITE(pwrite64, off64_t)

// Of several pieces a short write takes the first half, or half of the only one.
ssize_t writev(int descriptor, const iovec* pieces, int count) {
  static const auto next = original<ssize_t (*)(int, const iovec*, int)>("writev", nullptr);
  if (!write_strikes(descriptor)) return next(descriptor, pieces, count);
  const ssize_t left = spoiled(pieces->iov_len);
  if (left < 0) return -1;
  const iovec half{pieces->iov_base, static_cast<std::size_t>(left)};
  return count > 1 ? next(descriptor, pieces, count / 2) : next(descriptor, &half, 1);
}

#define FAULTY_PWRITEV(NAME, OFFSET)                                                                     \
  ssize_t NAME(int descriptor, const iovec* pieces, int count, OFFSET offset) {                          \
    static const auto next = original<ssize_t (*)(int, const iovec*, int, OFFSET)>(#NAME, nullptr);      \
    if (!write_strikes(descriptor)) return next(descriptor, pieces, count, offset);                      \
    const ssize_t left = spoiled(pieces->iov_len);                                                       \
    if (left < 0) return -1;                                                                             \
    const iovec half{pieces->iov_base, static_cast<std::size_t>(left)};                                  \
    return count > 1 ? next(descriptor, pieces, count / 2, offset) : next(descriptor, &half, 1, offset); \
  }
FAULTY_PWRITEV(pwritev, off_t)
FAULTY_PWRITEV(pwritev64, off64_t)

}  // extern "C"
