#include "checkpoint.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>

#include "checkpoint_modes.hpp"
#include "kept_settings.hpp"
#include "stepwise/core/memory.hpp"
#include "stepwise/core/stop.hpp"
#include "stepwise/data/npy.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/io/checkpoint_file.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;

constexpr const char* krylov_name = "krylov.h5";
constexpr const char* kernel_name = "kernel";
constexpr const char* modes_name = "modes.h5";
constexpr const char* training_name = "training.h5";
constexpr double least_work_per_cost = 20;  // a checkpoint may take 5 % of the time

std::string factor_name(const std::string& method) {
  return fmt::format("{}.h5", method);
}

/// Partly written files of runs that were killed; whoever holds the lock may remove them.
void remove_partial(const std::string& directory) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (is_left_over(entry.path().filename().string())) fs::remove(entry.path(), error);
  }
}

std::string directory_of(const RunConfig& run, const std::string& output) {
  if (!run.restart.empty()) return run.restart;
  return run.checkpoint.empty() ? output + ".checkpoint" : run.checkpoint;
}

/// An advisory lock that ends with the process; nothing where the file system has none. @throws Error(input).
int lock_directory(const std::string& directory) {
  const int descriptor = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0 || flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return descriptor;
  close(descriptor);
  fail(ExitCode::input, "{}: another run is using this checkpoint: wait for it to end, or choose another --checkpoint",
       directory);
}

}  // namespace

void check_checkpoint(const Communicator& comm, const RunConfig& run, const std::string& output,
                      const std::string& settings) {
  attempt_on_root(comm, [&] {
    const std::string directory = directory_of(run, output);
    const bool named = !run.restart.empty() || !run.checkpoint.empty();
    std::error_code ignored;
    if (fs::weakly_canonical(directory, ignored) == fs::weakly_canonical(output, ignored)) {
      fail(ExitCode::input, "--{} {}: is also --output; choose another directory",
           run.restart.empty() ? "checkpoint" : "restart", directory);
    }
    if (run.restart.empty() && has_work(directory)) {
      fail(ExitCode::input, "{}: holds the checkpoint of an earlier run: go on from it with --restart {}, or remove it",
           directory, directory);
    }
    if (named) check_directory(directory, settings);
  });
}

Checkpoint::Checkpoint(const Communicator& comm, const RunConfig& run, const std::string& output, std::string settings,
                       TimeLimit& limit, Report& report)
    : comm_(comm),
      limit_(limit),
      report_(report),
      settings_(std::move(settings)),
      directory_(directory_of(run, output)),
      named_(!run.restart.empty() || !run.checkpoint.empty()),
      restarted_(!run.restart.empty()),
      interval_(run.checkpoint_interval) {
  check_checkpoint(comm, run, output, settings_);
  if (named_) claim();
}

Checkpoint::~Checkpoint() {
  if (lock_ >= 0 && kept_.empty() && !has_work(directory_)) release_directory(directory_, made_);
  if (lock_ >= 0) close(lock_);
}

std::string Checkpoint::path(const std::string& name) const {
  return fmt::format("{}/{}", directory_, name);
}

bool Checkpoint::has(const std::string& name) const {
  std::int64_t there = 0;
  if (claimed_ && comm_.rank() == 0) {
    std::error_code ignored;
    there = fs::exists(path(name), ignored) ? 1 : 0;
  }
  return max(comm_, there) == 1;
}

void Checkpoint::claim() {
  if (claimed_) return;
  attempt_on_root(comm_, [&] {
    made_ = make_directories(directory_);  // what is wrong claim_directory() tells
    lock_ = lock_directory(directory_);
    remove_partial(directory_);
  });
  claim_directory(comm_, directory_, settings_);
  claimed_ = true;
}

Checkpoint::Wish Checkpoint::wish() {
  const double pause = std::max(interval_, least_work_per_cost * cost_);
  const bool due = named_ && since_.seconds() >= pause;
  return static_cast<Wish>(max(comm_, std::int64_t{stop_requested() ? 2 : due ? 1 : 0}));
}

void Checkpoint::keep(const std::string& name, const std::function<void(CheckpointWriter&)>& write) {
  const Stopwatch watch;
  claim();
  CheckpointWriter file(comm_, path(name));
  write(file);
  const std::int64_t bytes = file.commit();
  cost_ = max(comm_, watch.seconds());
  since_ = Stopwatch();
  limit_.keep_free(2 * cost_ + 5);
  kept_ = fmt::format("{}, {} in {:.2g} s", name, format_bytes(static_cast<double>(bytes)), cost_);
}

std::optional<std::string> Checkpoint::tiles(const std::function<double()>& seconds) {
  const bool worth = named_ && (interval_ <= 0 || seconds() >= interval_);
  if (!worth && !has(kernel_name)) return std::nullopt;
  kept_ = "tiles of the kernel matrix";
  return path(kernel_name);
}

std::optional<KrylovResume> Checkpoint::krylov(std::int64_t samples, std::int64_t group) {
  if (!has(krylov_name)) return std::nullopt;
  const auto file = std::make_shared<CheckpointReader>(comm_, path(krylov_name));
  const std::vector<std::int64_t> sizes = file->counts("/sizes");
  KrylovResume resume;
  resume.state = {
      {sizes.at(0), sizes.at(1), sizes.at(2)}, sizes.at(3), file->counts("/counts"), file->numbers("/numbers")};
  resume.read = [this, file, samples, group](MatrixView<double> q, MatrixView<double> kq) {
    const Range own = sample_share(comm_, samples, group);
    file->rows("/q", own, q);
    file->rows("/kq", own, kq);
  };
  begin_ = resume.state.counts;
  report_.note(fmt::format("going on from {}: {} vectors of the Krylov basis", path(krylov_name), sizes.at(3)));
  kept_ = krylov_name;
  return resume;
}

KrylovSafePoint Checkpoint::krylov_safe_point(std::int64_t samples, std::int64_t group) {
  return [this, samples, group](const KrylovState& state, MatrixView<const double> q, MatrixView<const double> kq) {
    const Wish wanted = wish();
    if (wanted == Wish::nothing) return;
    keep(krylov_name, [&](CheckpointWriter& file) {
      const Range own = sample_share(comm_, samples, group);
      file.counts("/sizes",
                  std::vector<std::int64_t>{state.sizes.block, state.sizes.basis, state.sizes.width, state.vectors});
      file.counts("/counts", state.counts);
      file.numbers("/numbers", state.numbers);
      file.rows("/q", samples, own, q);
      file.rows("/kq", samples, own, kq);
    });
    if (wanted != Wish::stop) return;
    if (state.counts == begin_) no_further_ = "the time did not suffice for one pass over K";
    stop_together(comm_);
  };
}

bool Checkpoint::fits(double seconds) const {
  return max(comm_, std::int64_t{seconds > limit_.seconds_left() - limit_.reserve()}) == 0;
}

DirectSafePoints Checkpoint::direct(const std::string& method) {
  const std::string name = factor_name(method);
  DirectSafePoints points;
  points.resume = [this, name](Factor& factor) {
    if (!has(name)) return false;
    CheckpointReader file(comm_, path(name));
    file.matrix("/w", factor.w);
    factor.shift = file.numbers("/shift").at(0);
    factor.eigenvalues = file.numbers("/eigenvalues");
    report_.note(fmt::format("going on from {}: the factor of K", path(name)));
    kept_ = name;
    return true;
  };
  points.before_eigensolve = [this, name](const Factor* factor, double seconds) {
    const bool there = has(name);
    if (!fits(seconds)) {
      const std::string why =
          fmt::format("the eigensolve would take about {:.0f} s of the {:.0f} s left, and cannot be interrupted",
                      seconds, limit_.seconds_left());
      report_.note(why + ": not begun");
      if (there || factor == nullptr) no_further_ = why;
      limit_.give_up();
    }
    const Wish wanted = wish();
    if (factor != nullptr && wanted != Wish::nothing && !there) {
      keep(name, [&](CheckpointWriter& file) {
        file.matrix("/w", factor->w);
        file.numbers("/shift", std::vector<double>{factor->shift});
        file.numbers("/eigenvalues", factor->eigenvalues);
      });
    }
    if (wanted == Wish::stop) stop_together(comm_);
  };
  return points;
}

std::optional<FoundModes> Checkpoint::modes(const std::shared_ptr<const ProcessGrid>& grid, std::int64_t block) {
  if (!has(modes_name)) return std::nullopt;
  CheckpointReader file(comm_, path(modes_name));
  report_.note(fmt::format("going on from {}: the modes are there", path(modes_name)));
  kept_ = modes_name;
  return read_modes(file, grid, block);
}

void Checkpoint::keep_if_due(const std::string& method, const ContrastiveModes& modes) {
  if (wish() == Wish::keep) keep(method, modes);
  stop_together(comm_);
}

void Checkpoint::keep(const std::string& method, const ContrastiveModes& modes) {
  keep(modes_name, [&](CheckpointWriter& file) { write_modes(file, method, modes); });
}

std::unique_ptr<CheckpointReader> Checkpoint::open(const std::string& name) {
  if (!has(name)) return nullptr;
  kept_ = name;
  return std::make_unique<CheckpointReader>(comm_, path(name));
}

void Checkpoint::safe_point(const std::function<void()>& keep) {
  const Wish wanted = wish();
  if (wanted == Wish::keep) keep();
  if (wanted == Wish::stop) stop_together(comm_);
}

bool Checkpoint::try_to_keep(const std::string& method, const ContrastiveModes& modes) {
  try {
    keep(method, modes);
  } catch (const CollectiveError&) {  // the failure before this one is what the user needs to know
    return false;
  }
  return true;
}

std::string Checkpoint::advice(const std::string& command) const {
  const bool told = !claimed_ || restarted_;
  return fmt::format("go on, under mpirun or srun as before, with:\n  {}{}", command,
                     told ? "" : " --restart " + directory_);
}

std::string Checkpoint::farewell(const std::string& command) const {
  const std::string cause = limit_.cause();
  if (!no_further_.empty()) {
    return fmt::format("by {}: {}. {} is as it was; give it more time or ranks, and {}", cause, no_further_, directory_,
                       advice(command));
  }
  if (kept_.empty()) return fmt::format("by {}; there was nothing to keep yet; {}", cause, advice(command));
  return fmt::format("by {}; {} has {}; {}", cause, directory_, kept_, advice(command));
}

void Checkpoint::remove() {
  if (!claimed_ || comm_.rank() != 0) return;
  std::error_code ignored;
  for (const std::string& name : {std::string(krylov_name), factor_name("cholesky"), factor_name("spectral"),
                                  std::string(modes_name), std::string(training_name)}) {
    fs::remove(path(name), ignored);
  }
  fs::remove_all(path(kernel_name), ignored);
  remove_partial(directory_);
  release_directory(directory_, made_);
}

}  // namespace stepwise
