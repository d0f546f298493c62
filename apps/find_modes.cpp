#include "find_modes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "keep_kernel.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/dist/pblas.hpp"
#include "stepwise/kernel/assemble.hpp"
#include "stepwise/kernel/kernel_product.hpp"
#include "stepwise/solve/lanczos.hpp"
#include "stepwise/theory/embedding.hpp"
#include "stepwise/theory/mean_pair_kernel.hpp"

namespace stepwise {
namespace {

constexpr const char* read_stage = "read samples, make views";
constexpr const char* kernel_stage = "kernel matrix";

/// Runs `find` as a stage, which the table then shows in parts.
template <class Find>
ContrastiveModes timed(Report& report, const Find& find) {
  ContrastiveModes modes = report.stage("modes", 0, find);
  report.split_last(modes.stages);
  return modes;
}

/// What goes wrong with a stored kernel is the file's fault.
template <class Work>
auto named(const Problem& problem, const Work& work) {
  const auto* stored = std::get_if<PrecomputedKernel>(&problem.kernel);
  try {
    return work();
  } catch (const CollectiveError& error) {
    if (!problem.stored_trace || stored == nullptr || error.code() != ExitCode::numerical) throw;
    throw CollectiveError(error.code(), fmt::format("{}: {}; --kernel.negative-mass is {}", stored->train->name,
                                                    error.what(), problem.config.kernel.negative_mass));
  }
}

/// What a stored kernel has of negative eigenvalues, for cholesky, which computes none itself.
NegativePart all_negative(const Problem& problem, const DistMatrix& k) {
  const auto times = [&](const DistMatrix& v) {
    DistMatrix result(v.shared_grid(), k.rows(), v.cols(), v.block());
    multiply(1, Transpose::no, k, Transpose::no, v, result);
    return result;
  };
  const std::vector<double> values = largest_eigenpairs({[&] { return k.clone(); }, times}, 0).values;
  const NegativePart part = negative_part(values);
  named(problem, [&] { require_positive(part, values.front(), problem.config.kernel.negative_mass); });
  return part;
}

/// A bound of what a stored kernel has of negative eigenvalues, where no method computes them all. The trace is what
/// the eigenvalues add up to: with one of them at most -x the negative mass is at least x / (trace + 2 x).
template <class T>
NegativePart look_for_negative(const Problem& problem, const KernelProduct<T>& product) {
  constexpr std::int64_t steps = 40;
  const RitzRange ritz = ritz_range(problem.comm, problem.samples, problem.pairing.views, steps,
                                    static_cast<std::uint64_t>(problem.config.seed), std::cref(product));
  NegativePart part{std::min(ritz.smallest, 0.0), 0, true};
  const double all = *problem.stored_trace - 2 * part.smallest;
  if (part.smallest < 0) part.mass = all > -part.smallest ? -part.smallest / all : 1;
  named(problem, [&] { require_positive(part, ritz.largest, problem.config.kernel.negative_mass); });
  return part;
}

double inner_product_flops(const Problem& problem) {
  const auto samples = static_cast<double>(problem.samples);
  return samples * samples * static_cast<double>(problem.features);
}

std::vector<std::int64_t> local_numbers(const BlockCyclic& map, int proc) {
  std::vector<std::int64_t> numbers;
  for (std::int64_t l = 0; l < map.local_count(proc); ++l) numbers.push_back(value(map.to_global(Local{l}, proc)));
  return numbers;
}

/// The eigensolver that the user wants, if it can run on this layout.
EigensolverLadder wanted_eigensolver(const Problem& problem, std::int64_t order, std::int64_t block) {
  const std::string& word = problem.config.solver.eigensolver;
  if (word == "auto") return std::nullopt;
  const Eigensolver wanted = word == "elpa2"   ? Eigensolver::elpa_two_stage
                             : word == "elpa1" ? Eigensolver::elpa_one_stage
                                               : Eigensolver::scalapack;
  const auto possible = solver_ladder(order, 0, block, problem.grid->shape());
  if (std::find(possible.begin(), possible.end(), wanted) == possible.end()) {
    throw CollectiveError(ExitCode::input,
                          fmt::format("--solver.eigensolver {}: {} needs a block of the matrix in every row and column "
                                      "of the process grid, but of {} rows in blocks of {} there are too few: use "
                                      "fewer ranks or a smaller --solver.block-size",
                                      word, name(wanted), order, block));
  }
  return std::vector{wanted};
}

ContrastiveModes direct_modes(const Problem& problem, std::string& method, Report& report, Checkpoint* checkpoint) {
  const std::int64_t d = problem.config.modes.value_or(0);
  const EigensolverLadder ladder = wanted_eigensolver(problem, problem.samples, problem.layout.rows.block);
  DistMatrix k = kernel_matrix(problem, report);
  BlockVector means;
  if (problem.centring) means = centre(*problem.centring, k, problem.pairing.views);
  const double negative_mass = problem.stored_trace ? problem.config.kernel.negative_mass : 0;
  const auto factored = [&](Factorisation factorisation) {
    DirectOptions options{factorisation, ladder, problem.pairing, negative_mass, problem.config.save.eigenvectors};
    if (checkpoint != nullptr) options.safe_points = checkpoint->direct(method);
    ContrastiveModes modes = timed(report, [&](const auto&) { return contrastive_modes(k, d, options); });
    modes.means = std::move(means);
    if (problem.config.save.kernel) modes.kernel = std::move(k);
    return modes;
  };
  if (method != "spectral") {
    std::optional<NegativePart> negative;
    if (problem.stored_trace) {
      negative = report.stage("eigenvalues of K", 0, [&](const auto&) { return all_negative(problem, k); });
    }
    try {
      ContrastiveModes modes = factored(Factorisation::cholesky);
      modes.negative = negative;
      return modes;
    } catch (const CollectiveError& error) {
      if (problem.config.solver.method != "auto" || error.code() != ExitCode::numerical) throw;
      report.note(fmt::format("{}; going on with --solver.method spectral", error.what()));
    }
    method = "spectral";
  }
  return named(problem, [&] { return factored(Factorisation::spectral); });
}

ContrastiveModes modes_of_features(const Problem& problem, Report& report) {
  const GridShape shape = problem.grid->shape();
  const std::int64_t block =
      fitting_block(problem.features, std::max(shape.rows, shape.cols), problem.config.solver.block_size, 1);
  const EigensolverLadder ladder = wanted_eigensolver(problem, problem.features, block);
  Samples own = report.stage(read_stage, 0, [&](const auto&) { return load_share(problem); });
  BlockVector means;
  if (problem.centring) means = centre(problem.comm, own, problem.samples, problem.pairing.views);
  ContrastiveModes modes = timed(report, [&](const auto&) {
    return primal_modes(own, problem.grid, problem.samples, block, problem.config.modes.value_or(0), ladder,
                        problem.pairing);
  });
  modes.means = std::move(means);
  return modes;
}

/// The product with the kernel matrix, or with the centred one.
ProductWithK product_of(const Problem& problem, std::int64_t samples, ProductWithK kernel) {
  if (!problem.centring) return kernel;
  return centred(*problem.centring, problem.comm, samples, problem.pairing.views, std::move(kernel));
}

/// The leading modes of every so many pairs, extended to all samples by the out-of-sample formula.
BlockVector modes_of_subsample(const Problem& problem, std::int64_t pairs) {
  const std::int64_t views = problem.pairing.views;
  const std::int64_t n = problem.samples / views;
  const std::int64_t samples = views * pairs;
  const Range own = sample_share(problem.comm, samples, views);
  const Samples part = attempt(problem.comm, [&] {
    std::vector<std::int64_t> numbers;
    for (std::int64_t i = own.begin; i < own.end; ++i) {
      numbers.push_back(views * (i / views * n / pairs) + i % views);
    }
    return load_samples(problem, numbers);
  });
  KernelProduct<double> product(problem.kernel, part, problem.comm, samples, views);
  product.store({});
  KrylovPairs modes = krylov_pairs(
      problem.comm, contrastive_operator(samples, product_of(problem, samples, std::cref(product)), problem.pairing),
      subsample_options(problem.config, problem.samples));
  const Embedding embedding{std::move(modes.values), std::move(modes.vectors), std::move(modes.kernel_vectors),
                            problem.pairing};
  BlockVector extended = embed(
      problem.kernel, embedding, part, problem.comm, problem.samples,
      [&](Range batch) { return load_range(problem, batch); }, views);
  apply_pairing(problem.pairing, extended.local());  // a = B K a / (c gamma)
  return extended;
}

/// By products with K, of which as much is stored as --kernel.storage says.
ContrastiveModes modes_by_products(const Problem& problem, Report& report, Checkpoint* checkpoint) {
  const Communicator& comm = problem.comm;
  const std::string& storage = problem.config.kernel.storage;
  const Samples own = report.stage(read_stage, 0, [&](const auto&) { return load_share(problem); });
  SingleSamples single;
  if (storage != "double") single = attempt(comm, [&] { return to_single(own); });
  KernelProduct<double> exact(problem.kernel, own, comm, problem.samples, problem.pairing.views);
  KernelProduct<float> rough(problem.kernel, single, comm, problem.samples, problem.pairing.views);
  if (storage != "none") {
    report.stage(kernel_stage, inner_product_flops(problem), [&](const Progress& progress) {
      storage == "double" ? exact.store(progress) : rough.store(progress);
    });
  }
  std::optional<NegativePart> negative;
  if (problem.stored_trace) {
    negative = report.stage("negative eigenvalues", 0, [&](const auto&) {
      return storage == "double" ? look_for_negative(problem, exact) : look_for_negative(problem, rough);
    });
  }
  KrylovOptions options = krylov_options(problem.config);
  std::optional<KrylovResume> resume;
  if (checkpoint != nullptr) {
    options.safe_point = checkpoint->krylov_safe_point(problem.samples, problem.pairing.views);
    resume = checkpoint->krylov(problem.samples, problem.pairing.views);
    if (resume) options.resume = &*resume;
  }
  BlockVector start;
  if (const std::int64_t pairs = subsample_pairs(problem.config); pairs > 0 && !resume) {
    start = report.stage("modes of a subsample", 0, [&](const auto&) { return modes_of_subsample(problem, pairs); });
    options.start = &start;
    if (start.width == 0) report.note("the subsample has no positive modes: starting at random");
  }
  KernelOperator t =
      contrastive_operator(problem.samples, product_of(problem, problem.samples, std::cref(exact)), problem.pairing);
  if (storage != "double") t.rough_kernel = product_of(problem, problem.samples, std::cref(rough));
  ContrastiveModes modes = timed(report, [&](const Progress& progress) {
    options.progress = progress;
    return krylov_modes(comm, t, options);
  });
  modes.negative = negative;
  modes.mean_pair_kernel = mean_pair_kernel(problem.kernel, own, problem.samples, comm, problem.pairing);
  if (problem.centring) {
    modes.means = row_means(*problem.centring, comm, problem.samples, problem.pairing.views, std::cref(exact));
    modes.mean_pair_kernel = centred_mean_pair_kernel(modes.mean_pair_kernel, modes.means, comm);
  }
  return modes;
}

}  // namespace

DistMatrix kernel_matrix(const Problem& problem, Report& report) {
  const std::pair<Samples, Samples> parts = report.stage(read_stage, 0, [&](const auto&) {
    return attempt(problem.comm, [&] {
      return std::pair(load_samples(problem, local_numbers(problem.layout.rows, problem.grid->row())),
                       load_samples(problem, local_numbers(problem.layout.cols, problem.grid->col())));
    });
  });
  return report.stage(kernel_stage, inner_product_flops(problem), [&](const Progress& progress) {
    return assemble(problem.kernel, parts.first, parts.second, problem.grid, problem.samples, problem.layout.rows.block,
                    progress);
  });
}

ContrastiveModes find_modes(const Problem& given, std::string& method, Report& report, Checkpoint* checkpoint) {
  const bool needs_matrix = method != "primal" && (method != "krylov" || given.config.kernel.storage != "none");
  const std::optional<KeptKernel> kept =
      checkpoint != nullptr && needs_matrix ? keep_kernel(given, *checkpoint, report) : std::nullopt;
  const Problem& problem = kept ? kept->problem : given;
  ContrastiveModes modes = method == "krylov"   ? modes_by_products(problem, report, checkpoint)
                           : method == "primal" ? modes_of_features(problem, report)
                                                : direct_modes(problem, method, report, checkpoint);
  if (!problem.stored_trace) modes.negative.reset();  // nothing to ask of a kernel that is one by its formula
  for (const std::string& text : modes.notes) report.note(text);
  // The centred matrix does not see constants: without them the dual vectors are right for the given kernel too.
  if (problem.centring && modes.dual.width > 0) centre(*problem.centring, problem.comm, modes.dual);
  return modes;
}

SecondOpinion second_opinion(const Problem& problem, const std::string& method, const ContrastiveModes& modes,
                             Report& report) {
  SecondOpinion opinion;
  opinion.method = second_method(problem.config, method);
  const std::size_t stages = report.stages().size();
  const ContrastiveModes others = [&] {
    try {
      return find_modes(problem, opinion.method, report);
    } catch (const CollectiveError& error) {
      throw CollectiveError(error.code(), fmt::format("--solver.check: {} found the modes, but {} did not: {}", method,
                                                      opinion.method, error.what()));
    }
  }();
  report.merge_from(stages, "check by " + opinion.method);
  opinion.difference = compare(modes, others, problem.comm);
  const auto worst = [](const ContrastiveModes& m) {
    return *std::max_element(m.residuals.begin(), m.residuals.end());
  };
  // Each gamma is within its residual of an eigenvalue.
  double allowed = worst(modes) + worst(others) + 2 * modes.noise_floor / modes.gamma.front();
  // spectral takes the negative eigenvalues of a stored kernel as zero, krylov as they are. To first order that moves
  // gamma by gamma a^T E a, where |a|^2 <= lambda_1 / (2n gamma)^2.
  for (const ContrastiveModes* each : {&modes, &others}) {
    if (!each->negative) continue;
    const auto n = static_cast<double>(problem.samples);
    const double gamma = modes.gamma[static_cast<std::size_t>(modes.dual.width - 1)];
    allowed += 2 * std::abs(each->negative->smallest) * *problem.stored_trace / (n * n * gamma * modes.gamma.front());
  }
  if (!(opinion.difference.gamma <= allowed)) {
    throw CollectiveError(
        ExitCode::numerical,
        fmt::format("--solver.check: {} and {} disagree: a gamma differs by {:.3g} of gamma_1, at most {:.3g} is "
                    "rounding and tolerance; the largest angle between the modes is {:.3g}",
                    method, opinion.method, opinion.difference.gamma, allowed, opinion.difference.angle));
  }
  return opinion;
}

}  // namespace stepwise
