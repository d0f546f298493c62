#include "io/output_name.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <vector>

#include "stepwise/core/memory.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/io/result_file.hpp"

namespace stepwise {

namespace fs = std::filesystem;

std::string directory_of(const std::string& path) {
  const std::string directory = fs::path(path).parent_path().string();
  return directory.empty() ? "." : directory;
}

namespace {

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

/// What all partial names for `path` begin with.
std::string partial_stem(const std::string& path) {
  return fmt::format(".{}.partial.", fs::path(path).filename().string());
}

bool is_alive(int process) {
  if (kill(process, 0) != 0) return errno != ESRCH;
  std::error_code error;
  if (!fs::exists("/proc/self/exe", error)) return true;
  (void)fs::read_symlink(fmt::format("/proc/{}/exe", process), error);
  return error != std::errc::no_such_file_or_directory;  // a zombie has ended and has no program any more
}

/// Whether nobody is writing `file` any more, whose name ends in "HOST.PROCESS". On this host that is known. On others
/// a file that nobody has touched for a day counts as given up: locks are not kept on all file systems.
bool is_given_up(const fs::path& file, const std::string& writer) {
  const std::string own = host_name() + ".";
  if (writer.starts_with(own)) {
    const int process = std::atoi(writer.c_str() + own.size());
    return process > 0 && !is_alive(process);
  }
  std::error_code error;
  const auto written = fs::last_write_time(file, error);
  return !error && fs::file_time_type::clock::now() - written > std::chrono::hours(24);
}

/// Removes what runs that were killed have left of `path`.
void remove_given_up(const std::string& path) {
  const std::string stem = partial_stem(path);
  std::error_code error;
  std::vector<fs::path> left;
  for (fs::directory_iterator entry(directory_of(path), error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(stem) && is_given_up(entry->path(), name.substr(stem.size()))) left.push_back(entry->path());
  }
  for (const fs::path& file : left) fs::remove(file, error);
}

}  // namespace

std::string partial_name(const std::string& path) {
  return fmt::format("{}/{}{}.{}", directory_of(path), partial_stem(path), host_name(), getpid());
}

std::string target_of(const std::string& path) {
  constexpr int most_links = 40;  // as Linux
  fs::path target = path;
  std::error_code error;
  for (int links = 0; fs::is_symlink(fs::symlink_status(target, error)); ++links) {
    if (links == most_links) fail(ExitCode::input, "--output {}: is a circle of symbolic links", path);
    target = target.parent_path() / fs::read_symlink(target, error);
  }
  return target.string();
}

void refuse_existing(const std::string& path, bool force) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) fail(ExitCode::input, "--output {}: is a directory, name a file", path);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    fail(ExitCode::input, "--output {}: exists and is not a regular file; choose another name", path);
  }
  if (fs::exists(status) && !force) {
    fail(ExitCode::input, "--output {}: exists already; choose another name, or give --force to replace it", path);
  }
}

void sync(const std::string& path, int flags) {
  const int descriptor = open(path.c_str(), flags);
  if (descriptor < 0 || fsync(descriptor) != 0) {
    const int reason = errno;
    if (descriptor >= 0) close(descriptor);
    fail(ExitCode::io, "{}: cannot be synced to disk: {}", path, std::strerror(reason));
  }
  close(descriptor);
}

namespace {

void allocate(const std::string& path, const std::string& partial, std::int64_t bytes, int mode) {
  const int descriptor = open(partial.c_str(), O_WRONLY);
  const int status = descriptor < 0 ? -1 : fallocate(descriptor, mode, 0, bytes);
  const int reason = errno;
  if (descriptor >= 0) close(descriptor);
  if (status != 0 && reason != EOPNOTSUPP && reason != ENOSYS) {
    fail(ExitCode::io, "--output {}: no room for {} bytes: {}", path, bytes, std::strerror(reason));
  }
}

}  // namespace

void reserve(const std::string& path, const std::string& partial, std::int64_t bytes) {
  allocate(path, partial, bytes, 0);
}

void reserve_beyond_end(const std::string& path, const std::string& partial, std::int64_t bytes) {
  rlimit limit{};  // where the file gets no longer the system does not compare with it
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < static_cast<rlim_t>(bytes)) {
    fail(ExitCode::io, "--output {}: no room for {} bytes: {}", path, bytes, std::strerror(EFBIG));
  }
  allocate(path, partial, bytes, FALLOC_FL_KEEP_SIZE);
}

void discard(const Communicator& comm, const std::string& path) {
  const bool alone = std::uncaught_exceptions() > 0 && !unwinding_together();
  if (comm.rank() != 0 && !alone) return;
  (void)!truncate(path.c_str(), 0);
  unlink(path.c_str());
}

void check_output(const Communicator& comm, const std::string& path, bool force,
                  const std::vector<std::string>& inputs) {
  attempt_on_root(comm, [&] {
    const std::string target = target_of(path);
    const std::string directory = directory_of(target);
    std::error_code error;
    if (fs::exists(directory, error) && !fs::is_directory(directory, error)) {
      fail(ExitCode::io, "--output {}: {} is not a directory", path, directory);
    }
    if (!fs::is_directory(directory, error)) {
      fail(ExitCode::io, "--output {}: the directory {} does not exist; create it first", path, directory);
    }
    for (const std::string& input : inputs) {
      if (!fs::equivalent(path, input, error)) continue;
      fail(ExitCode::input, "--output {}: is the same file as the input {}; choose another name", path, input);
    }
    refuse_existing(path, force);
    const std::string trial = partial_name(target);
    const int descriptor = open(trial.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0666);
    if (descriptor < 0) {
      fail(ExitCode::io, "--output {}: the directory {} takes no new file: {}", path, directory, std::strerror(errno));
    }
    close(descriptor);
    unlink(trial.c_str());
    remove_given_up(target);
  });
}

void check_room(const Communicator& comm, const std::string& path, double bytes) {
  attempt_on_root(comm, [&] {
    const std::string directory = directory_of(target_of(path));
    std::error_code error;
    const fs::space_info space = fs::space(directory, error);
    if (error || bytes <= static_cast<double>(space.available)) return;
    fail(ExitCode::io, "--output {}: needs {}, but in {} there are {} free: choose another directory, or save less",
         path, format_bytes(bytes), directory, format_bytes(static_cast<double>(space.available)));
  });
}

}  // namespace stepwise
