#include "checkpoint_modes.hpp"

#include <map>

#include "stepwise/dist/agree.hpp"

namespace stepwise {
namespace {

void write_vectors(CheckpointWriter& file, const std::string& name, const BlockVector& v) {
  if (v.width > 0) file.rows(name, v.samples, v.range, v.local());
}

/// Empty if there are none.
BlockVector read_vectors(CheckpointReader& file, const Communicator& comm, const std::string& name,
                         std::int64_t samples, std::int64_t width, std::int64_t group) {
  if (!file.contains(name)) return {};
  BlockVector v = attempt(comm, [&] { return make_block_vector(comm, samples, width, group); });
  file.rows(name, v.range, v.local());
  return v;
}

void write_direct(CheckpointWriter& file, const DirectReport& report) {
  file.counts("/direct/counts", std::vector<std::int64_t>{report.positive, report.rank,
                                                          static_cast<std::int64_t>(report.eigensolve.solver)});
  file.numbers("/direct/numbers", std::vector<double>{report.trace_error, report.shift, report.eigensolve.residual,
                                                      report.eigensolve.orthogonality, report.eigensolve.sums});
  file.numbers("/direct/kernel_eigenvalues", report.kernel_eigenvalues);
}

DirectReport read_direct(CheckpointReader& file) {
  const auto counts = file.counts("/direct/counts");
  const auto numbers = file.numbers("/direct/numbers");
  DirectReport report{
      counts.at(0), counts.at(1), numbers.at(0), numbers.at(1), file.numbers("/direct/kernel_eigenvalues"), {}};
  report.eigensolve.solver = static_cast<Eigensolver>(counts.at(2));
  report.eigensolve.residual = numbers.at(2);
  report.eigensolve.orthogonality = numbers.at(3);
  report.eigensolve.sums = numbers.at(4);
  return report;
}

void write_krylov(CheckpointWriter& file, const KrylovReport& report) {
  file.counts("/krylov/counts",
              std::vector<std::int64_t>{report.products, report.rounds, report.rough_rounds, report.restarts});
  file.numbers("/krylov/tolerance", std::vector<double>{report.tolerance});
}

KrylovReport read_krylov(CheckpointReader& file) {
  const auto counts = file.counts("/krylov/counts");
  return {counts.at(0), counts.at(1), counts.at(2), counts.at(3), file.numbers("/krylov/tolerance").at(0)};
}

}  // namespace

void write_modes(CheckpointWriter& file, const std::string& method, const ContrastiveModes& modes) {
  file.attributes({{"method", method}});
  file.counts("/sizes",
              std::vector<std::int64_t>{modes.dual.samples, modes.dual.width, modes.means.width, modes.pairing.views});
  file.numbers("/gamma", modes.gamma);
  file.numbers("/residuals", modes.residuals);
  file.numbers("/numbers", std::vector<double>{modes.noise_floor, modes.mean_pair_kernel});
  write_vectors(file, "/dual", modes.dual);
  write_vectors(file, "/kernel_dual", modes.kernel_dual);
  write_vectors(file, "/means", modes.means);
  if (modes.kernel) file.matrix("/kernel", *modes.kernel);
  if (modes.all_dual) file.matrix("/all_dual", *modes.all_dual);
  if (modes.negative) {
    file.numbers("/negative", std::vector<double>{modes.negative->smallest, modes.negative->mass,
                                                  modes.negative->estimated ? 1.0 : 0.0});
  }
  if (const auto* direct = std::get_if<DirectReport>(&modes.report)) {
    write_direct(file, *direct);
  } else {
    write_krylov(file, std::get<KrylovReport>(modes.report));
  }
}

FoundModes read_modes(CheckpointReader& file, const std::shared_ptr<const ProcessGrid>& grid, std::int64_t block) {
  const Communicator& comm = grid->comm();
  FoundModes found;
  ContrastiveModes& modes = found.modes;
  for (const auto& [name, value] : file.attributes()) {
    if (const auto* text = std::get_if<std::string>(&value); text != nullptr && name == "method") found.method = *text;
  }
  const auto sizes = file.counts("/sizes");
  const std::int64_t samples = sizes.at(0);
  const std::int64_t views = sizes.at(3);
  modes.pairing = {views};
  modes.gamma = file.numbers("/gamma");
  modes.residuals = file.numbers("/residuals");
  const auto numbers = file.numbers("/numbers");
  modes.noise_floor = numbers.at(0);
  modes.mean_pair_kernel = numbers.at(1);
  modes.dual = read_vectors(file, comm, "/dual", samples, sizes.at(1), views);
  modes.kernel_dual = read_vectors(file, comm, "/kernel_dual", samples, sizes.at(1), views);
  modes.means = read_vectors(file, comm, "/means", samples, sizes.at(2), views);
  const auto square = [&](const char* name, std::optional<DistMatrix>& into) {
    if (!file.contains(name)) return;
    const std::int64_t order = std::ssize(modes.gamma);
    into.emplace(grid, order, order, block);
    file.matrix(name, *into);
  };
  square("/kernel", modes.kernel);
  square("/all_dual", modes.all_dual);
  if (file.contains("/negative")) {
    const auto negative = file.numbers("/negative");
    modes.negative = {negative.at(0), negative.at(1), negative.at(2) != 0};
  }
  if (file.contains("/direct")) {
    modes.report = read_direct(file);
  } else {
    modes.report = read_krylov(file);
  }
  return found;
}

}  // namespace stepwise
