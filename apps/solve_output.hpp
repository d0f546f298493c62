#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "find_modes.hpp"
#include "solve_config.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/io/file_layout.hpp"
#include "stepwise/theory/contrastive.hpp"
#include "stepwise/theory/embedding.hpp"
#include "stepwise/theory/timescales.hpp"

namespace stepwise {

/// What was found.
struct SolveResult {
  std::string method;  ///< cholesky, spectral or krylov
  ContrastiveModes modes;
  std::optional<SecondOpinion> second;

  // Of the modes, if there are any.
  double whiteness_error = 0;
  Embedding embedding;
  std::vector<std::pair<std::string, BlockVector>> tests;  ///< as test_groups() names them
  std::vector<double> s0;
  std::vector<double> tau;
  std::vector<double> half_rise;
  Trajectory trajectory;
};

/// Where a result comes from, for the file's attributes.
struct ResultOrigin {
  const Communicator& comm;
  SolveConfig& config;  ///< with every "auto" resolved
  const std::string& command;
  const PairSource& pairs;
  std::string kernel_convention;
  std::string inputs_checksum;  ///< of the training samples, "" for a stored kernel
  const ProcessGrid& grid;
  std::int64_t block = 0;
  const Report& report;
  FileLayout layout;
};

/// Writes the result file (docs/file_format.md). Collective. Returns its size in bytes. @throws CollectiveError(io).
std::int64_t write_result(const ResultOrigin& origin, const SolveResult& result);

/// The first modes and what was found about all of them, for the terminal.
[[nodiscard]] std::string summary(const SolveResult& result);

}  // namespace stepwise
