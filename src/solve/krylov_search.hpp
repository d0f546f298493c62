#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "solve/krylov_basis.hpp"
#include "stepwise/solve/krylov.hpp"
#include "stepwise/solve/small_eigen.hpp"

namespace stepwise {

constexpr std::int64_t most_unseen = 6;  // steps between two small eigenproblems
constexpr double rough_reach = 1e-6;     // by how much a search with rough products can bring residuals down

/// What a search that was given up has cost.
struct GivenUp {
  std::int64_t any = 0;  ///< whether there was one
  std::int64_t products = 0;
  std::int64_t rounds = 0;
  std::int64_t rough_rounds = 0;
};

/// That of the search which this state is of.
[[nodiscard]] GivenUp given_up_before(const KrylovState& state);

/// One search for the leading eigenpairs (krylov_pairs).
class Search {
 public:
  Search(const Communicator& comm, const KernelOperator& t, const KrylovOptions& options, const GivenUp& given_up)
      : comm_(comm),
        t_(t),
        options_(options),
        given_up_(given_up),
        sizes_(options.resume != nullptr ? options.resume->state.sizes : krylov_sizes(t.samples, options)),
        basis_(comm, t, options.seed, sizes_.basis, sizes_.width),
        h_(area(sizes_.basis, sizes_.basis)),
        goal_(std::max(options.tolerance, rough() ? rough_reach : 0)) {}

  /// Sets too_rough where products are, for the wanted values; there is no result then.
  KrylovPairs run();

 private:
  [[nodiscard]] bool rough() const { return t_.rough_kernel != nullptr; }
  [[nodiscard]] double norm_of_t() const {
    return ritz_.values.empty() ? 0 : std::max(ritz_.values.front(), -ritz_.values.back());
  }
  void start();
  void expand();
  void project(const std::vector<double>& gram);
  [[nodiscard]] std::int64_t positive() const;
  [[nodiscard]] bool converged();
  [[nodiscard]] std::int64_t steps_until_next_look(double worst) const;
  [[nodiscard]] std::vector<double> restart();
  void forget_all_but(const std::vector<double>& values, std::int64_t kept);
  void couple(MatrixView<const double> outside, const std::vector<double>& tail, std::int64_t first);
  [[nodiscard]] bool finished();
  [[nodiscard]] std::optional<BlockVector> rayleigh_ritz(BlockVector& a, BlockVector& ka);
  [[nodiscard]] bool refine(const BlockVector& a, const BlockVector& ka, const BlockVector& residual,
                            const BlockVector& image);

  // What the way from one pass over K to the next depends on, besides the basis.
  [[nodiscard]] std::array<std::int64_t*, 17> counts();
  [[nodiscard]] std::array<double*, 6> numbers();
  void note_state();
  void show_state();
  void resume(const KrylovResume& from);

  const Communicator& comm_;
  const KernelOperator& t_;
  const KrylovOptions& options_;
  GivenUp given_up_;
  KrylovSizes sizes_;
  KernelBasis basis_;
  std::vector<double> h_;        // Q^T K T Q, sizes_.basis x sizes_.basis
  SmallEigenpairs ritz_;         // of h_
  std::vector<double> outside_;  // ||T y_i - theta_i y_i||_K of the leading Ritz vectors
  double first_residual_ = 0;
  std::int64_t found_ = 0;               // positive Ritz values at the last look
  std::int64_t looks_without_more_ = 0;  // how often there were no more of them
  std::int64_t steps_checked_ = -1;      // steps since random vectors were to join to look for missed modes
  std::int64_t joined_ = 0;              // and whether they have
  std::int64_t unseen_ = 0;              // steps since the last small eigenproblem
  std::int64_t patience_ = most_unseen;  // steps until the next one
  double last_seen_ = 0;                 // largest residual there
  double goal_;                          // residual that ends the present search
  double true_residual_ = std::numeric_limits<double>::infinity();  // the worst one last time it was computed
  bool failed_ = false;                                             // with rough products there is no way on
  KrylovPairs pairs_;
  KrylovState state_;   // at the last safe point
  bool whole_ = false;  // and whether the basis is still what it was there
};

}  // namespace stepwise
