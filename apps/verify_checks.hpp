#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "stepwise/dist/communicator.hpp"
#include "stepwise/io/contents.hpp"
#include "verify.hpp"

namespace stepwise {

/// What was found out about a file.
struct Check {
  enum class Outcome { holds, fails, skipped };
  std::string name;
  Outcome outcome = Outcome::holds;
  std::string detail;  ///< the numbers, or why it was skipped
};

/// The same on every rank.
class Checks {
 public:
  void add(std::string name, bool holds, std::string detail) {
    all_.push_back({std::move(name), holds ? Check::Outcome::holds : Check::Outcome::fails, std::move(detail)});
  }
  /// Whether a number is at most `allowed`; NaN is not.
  void at_most(std::string name, double number, double allowed) {
    add(std::move(name), number <= allowed, fmt::format("{:.2e}, at most {:.1e}", number, allowed));
  }
  void skip(std::string name, std::string why) {
    all_.push_back({std::move(name), Check::Outcome::skipped, std::move(why)});
  }
  /// Collective `work` that adds checks; what it cannot read is a check that fails. @throws CollectiveError for what is
  /// no fault of the file: memory, a stop, a bug.
  void section(const std::string& name, const std::function<void()>& work);

  [[nodiscard]] const std::vector<Check>& all() const noexcept { return all_; }
  [[nodiscard]] bool any_failed() const noexcept;

 private:
  std::vector<Check> all_;
};

/// Names, shapes, units, descriptions and dimension scales as docs/file_format.md has them. Local.
void check_schema(Checks& checks, const FileContents& contents);

/// Every dataset of numbers against the checksum it was written with. Collective.
void check_checksums(Checks& checks, const Communicator& comm, const std::string& path, const FileContents& contents);

/// What follows from each other inside the file: spectrum, modes, embeddings, timescales, trajectory. Collective.
void check_numbers(Checks& checks, const Communicator& comm, const std::string& path, const FileContents& contents);

/// The same of a simulation: losses, differences, timescales and predictions. Collective.
void check_simulation(Checks& checks, const Communicator& comm, const std::string& path, const FileContents& contents);

/// Against the inputs, where they can be reached. Collective.
void check_inputs(Checks& checks, const Communicator& comm, const VerifyConfig& config, const FileContents& contents);

/// Whether it calls itself a result of solve, or a simulation; other files of stepwise have a schema and checksums, but
/// nothing to verify.
[[nodiscard]] bool is_result(const FileContents& contents);
[[nodiscard]] bool is_simulation(const FileContents& contents);

/// max |a_i - b_i| / max(|b_i|, smallest); infinite where sizes differ or one alone is NaN.
[[nodiscard]] double relative_difference(const std::vector<double>& a, const std::vector<double>& b,
                                         double smallest = 0);

/// Whether the file has a dataset.
[[nodiscard]] bool has(const FileContents& contents, const std::string& path);

/// Training samples of a (V n, width) or (V, n, width) dataset, this rank's share, numbered pair by pair. Collective.
[[nodiscard]] BlockVector read_paired(const Communicator& comm, const std::string& path, const std::string& dataset,
                                      std::int64_t views);

}  // namespace stepwise
