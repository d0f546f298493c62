#pragma once

#include <string>
#include <vector>

#include "solve_config.hpp"
#include "stepwise/core/timing.hpp"
#include "stepwise/theory/contrastive.hpp"
#include "stepwise/theory/embedding.hpp"
#include "stepwise/theory/timescales.hpp"

namespace stepwise {

/// What was found, without the matrices it was found from.
struct SolveResult {
  Factorisation factorisation = Factorisation::cholesky;
  Eigensolver eigensolver = Eigensolver::scalapack;
  std::vector<double> gamma;  ///< all 2n
  std::vector<double> kernel_eigenvalues;
  std::vector<double> residuals;
  std::int64_t positive = 0;
  std::int64_t rank = 0;
  double noise_floor = 0;
  double mean_pair_kernel = 0;
  double trace_error = 0;
  double shift = 0;
  double eigen_residual = 0;
  double eigen_orthogonality = 0;
  double whiteness_error = 0;

  Embedding embedding;
  BlockVector test;
  std::vector<double> s0;
  std::vector<double> tau;
  std::vector<double> half_rise;
  Trajectory trajectory;

  void take_spectrum(const ContrastiveModes& modes);
};

/// Where a result comes from, for the file's attributes.
struct ResultOrigin {
  const Communicator& comm;
  SolveConfig& config;  ///< with every "auto" resolved
  const std::string& command;
  const PairSource& pairs;
  std::string kernel_convention;
  const ProcessGrid& grid;
  const std::vector<StageTime>& stages;
};

/// Writes the result file (docs/file_format.md). Collective. Returns its size in bytes. @throws CollectiveError(io).
std::int64_t write_result(const ResultOrigin& origin, const SolveResult& result);

/// The first modes and what was found about all of them, for the terminal.
[[nodiscard]] std::string modes_table(const SolveResult& result);

}  // namespace stepwise
