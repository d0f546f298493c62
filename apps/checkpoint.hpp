#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "checkpoint_modes.hpp"
#include "run_config.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/cli/time_limit.hpp"
#include "stepwise/core/timing.hpp"
#include "stepwise/dist/communicator.hpp"
#include "stepwise/solve/krylov.hpp"
#include "stepwise/theory/contrastive.hpp"

namespace stepwise {

/// What Checkpoint's constructor refuses, without making anything. Collective. @throws CollectiveError(input), (io).
void check_checkpoint(const Communicator& comm, const RunConfig& run, const std::string& output,
                      const std::string& settings);

/// What one run keeps in a directory for the next one: tiles of the kernel matrix, the Krylov basis or the factor of K,
/// the modes, a model in training. Written every so often if the user has named the directory, and always when the run
/// is asked to stop; then in OUTPUT.checkpoint if nobody has named another. Every member is collective.
class Checkpoint {
 public:
  /// `settings`: what all that depends on (kept_settings.hpp). @throws CollectiveError(input) when the directory holds
  /// another problem's checkpoint, or this one's but --restart is not given, or another run is using it; (io).
  Checkpoint(const Communicator& comm, const RunConfig& run, const std::string& output, std::string settings,
             TimeLimit& limit, Report& report);
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;
  ~Checkpoint();

  /// Where tiles belong if evaluating the kernel matrix takes `seconds`, asked for only where that decides: nowhere if
  /// it is not worth keeping.
  [[nodiscard]] std::optional<std::string> tiles(const std::function<double()>& seconds);

  /// The state that an earlier run has left, of vectors over so many samples, groups of `group` on one rank; and what
  /// krylov_pairs() is to call between two passes.
  [[nodiscard]] std::optional<KrylovResume> krylov(std::int64_t samples, std::int64_t group);
  [[nodiscard]] KrylovSafePoint krylov_safe_point(std::int64_t samples, std::int64_t group);

  /// Where a direct method takes up its factor of K, and leaves it before an eigensolve that may not fit.
  [[nodiscard]] DirectSafePoints direct(const std::string& method);

  [[nodiscard]] std::optional<FoundModes> modes(const std::shared_ptr<const ProcessGrid>& grid, std::int64_t block);
  void keep_if_due(const std::string& method, const ContrastiveModes& modes);
  /// Whatever the time.
  void keep(const std::string& method, const ContrastiveModes& modes);

  /// The same where writing may fail: whether it did not.
  [[nodiscard]] bool try_to_keep(const std::string& method, const ContrastiveModes& modes);

  /// What `keep` has written under this name; nothing where there is none.
  [[nodiscard]] std::unique_ptr<CheckpointReader> open(const std::string& name);
  /// Keeps what `write` writes, under this name, whatever the time.
  void keep(const std::string& name, const std::function<void(CheckpointWriter&)>& write);
  /// Calls `keep` where a checkpoint is due. @throws CollectiveError(stopped) where the run is asked to stop.
  void safe_point(const std::function<void()>& keep);

  /// Whether the user has named the directory.
  [[nodiscard]] bool named() const noexcept { return named_; }
  /// How to go on after a failure; `command` is the command line.
  [[nodiscard]] std::string advice(const std::string& command) const;
  /// What the user needs to know after a stop; `command` is the command line.
  [[nodiscard]] std::string farewell(const std::string& command) const;

  /// Removes everything: the result is written.
  void remove();

 private:
  enum class Wish { nothing, keep, stop };
  [[nodiscard]] Wish wish();
  [[nodiscard]] std::string path(const std::string& name) const;
  [[nodiscard]] bool has(const std::string& name) const;
  void claim();
  /// Whether work that cannot be interrupted fits into what is left, on all ranks.
  [[nodiscard]] bool fits(double seconds) const;

  const Communicator& comm_;
  TimeLimit& limit_;
  Report& report_;
  std::string settings_;
  std::string directory_;
  bool named_ = false;             // by the user
  bool restarted_ = false;         // named by --restart
  bool claimed_ = false;           // this run may write there
  std::vector<std::string> made_;  // directories that were not there, innermost first
  int lock_ = -1;                  // rank 0's descriptor
  double interval_ = 0;
  Stopwatch since_;                  // the last checkpoint
  double cost_ = 0;                  // seconds that it took
  std::vector<std::int64_t> begin_;  // counts of the Krylov state that this run went on from
  std::string no_further_;           // why it was stopped in that state, if it was
  std::string kept_;                 // what is there, in words
};

}  // namespace stepwise
