#include "align.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "align_input.hpp"
#include "run_attributes.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/io/result_file.hpp"

namespace stepwise {

std::vector<Option> align_options(AlignConfig& c) {
  const auto order = [](const std::string& which, std::string& target) {
    return choice_option(which + "-order",
                         "how the " + which +
                             " subspace grows: by the dimensions as they stand (modes have an order), or by "
                             "principal components (outputs of networks have none)",
                         target, {"given", "principal"});
  };
  return {
      positional_option("first", "result of solve, .npy or FILE.h5:/path/to/dataset of embeddings", c.first),
      positional_option("second", "the same of what it is compared with", c.second),
      order("first", c.first_order),
      order("second", c.second_order),
      text_option("kernel", "FILE",
                  "kernel matrix whose leading eigenvectors, as many as the first has dimensions, are compared too",
                  c.kernel),
      auto_option("tolerance", "X",
                  "a dimension is dropped when less than this part of it is outside the span of those before it; auto: "
                  "1e-10, in single precision 1e-5",
                  c.tolerance, 1e-15, 0.5),
      text_option("output", "FILE", "also an HDF5 file of all numbers; empty: none", c.output),
      flag_option("force", "replace an existing file", c.force),
  };
}

void check_consistency(const AlignConfig& c) {
  if (c.first.empty() || c.second.empty()) {
    fail(ExitCode::input, "{} missing: write stepwise align FIRST SECOND, two results or datasets of embeddings",
         c.first.empty() ? "two files of embeddings are" : "a second file of embeddings is");
  }
}

namespace {

struct Side {
  SampleRows rows;
  SubspaceBasis basis;
};

struct KernelComparison {
  SubspaceAlignment with_first;
  SubspaceAlignment with_second;
};

struct Comparison {
  Side first;
  Side second;
  SubspaceAlignment alignment;
  std::optional<KernelComparison> kernel;
  [[nodiscard]] std::int64_t samples() const { return first.rows.matrix.rows; }
  [[nodiscard]] std::int64_t dimensions() const { return std::ssize(alignment.both); }
};

void require_same_samples(const Communicator& comm, const SampleRows& a, const SampleRows& b) {
  attempt(comm, [&] {
    if (a.matrix.rows != b.matrix.rows) {
      fail(ExitCode::input, "{} has {} samples, {} has {}: subspaces are compared over the same samples", a.matrix.name,
           a.matrix.rows, b.matrix.name, b.matrix.rows);
    }
    if (a.views > 0 && b.views > 0 && a.views != b.views) {
      fail(ExitCode::input, "{} has {} views of each pair, {} has {}", a.matrix.name, a.views, b.matrix.name, b.views);
    }
  });
}

std::string described(const Side& side) {
  const StoredMatrix& matrix = side.rows.matrix;
  std::string text = fmt::format("{}: {} samples, {} dimensions", matrix.name, matrix.rows, matrix.cols);
  const std::vector<std::int64_t>& dropped = side.basis.dropped;
  if (dropped.empty()) return text;
  constexpr std::size_t most = 8;
  const bool all = dropped.size() <= most;
  const std::vector<std::int64_t> named(dropped.begin(), all ? dropped.end() : dropped.begin() + most);
  return fmt::format("{}, {} of them independent; without number {}{} (from 0), which those before already span", text,
                     side.basis.q.width, fmt::join(named, ", "), all ? "" : ", ...");
}

Side find_basis(const Communicator& comm, const SampleRows& rows, const std::string& order,
                const std::optional<double>& tolerance) {
  const double smallest = tolerance.value_or(rows.matrix.single ? 1e-5 : 1e-10);
  const BasisOrder growth = order == "given" ? BasisOrder::given : BasisOrder::principal;
  Side side{rows, orthonormal_basis(read_embeddings(comm, rows.matrix), smallest, growth, comm)};
  if (side.basis.q.width == 0) {
    throw CollectiveError(ExitCode::input, fmt::format("{}: is zero everywhere", side.rows.matrix.name));
  }
  return side;
}

/// 1, 2, 5, 10, 20, 50, ... and the last.
std::vector<std::int64_t> shown_rows(std::int64_t last) {
  std::vector<std::int64_t> rows;
  for (std::int64_t decade = 1; decade < last; decade *= 10) {
    for (const std::int64_t digit : {1, 2, 5}) {
      if (digit * decade < last) rows.push_back(digit * decade);
    }
  }
  rows.push_back(last);
  return rows;
}

std::string table(const Comparison& c) {
  const SubspaceAlignment& a = c.alignment;
  std::string text = fmt::format("first   {}\nsecond  {}\n", described(c.first), described(c.second));
  text += fmt::format("{:>6}{:>12}{:>12}{:>17}{:>17}{}\n", "k", "alignment", "by chance", "first in second",
                      "second in first", c.kernel ? fmt::format("{:>12}", "kernel") : "");
  for (const std::int64_t k : shown_rows(c.dimensions())) {
    const auto i = static_cast<std::size_t>(k - 1);
    text += fmt::format("{:>6}{:>12.6f}{:>12.6f}{:>17.6f}{:>17.6f}{}\n", k, a.both[i],
                        chance_alignment(c.samples(), k, k).mean, a.first_in_second[i], a.second_in_first[i],
                        c.kernel ? fmt::format("{:>12.6f}", c.kernel->with_second.both[i]) : "");
  }
  const ChanceAlignment chance = chance_alignment(c.samples(), c.first.basis.q.width, c.second.basis.q.width);
  text += fmt::format(
      "alignment {:.6f} of {} and {} dimensions; random ones {:.6f} +- {:.6f}; angles {:.3g} to {:.3g}\n", a.overall,
      c.first.basis.q.width, c.second.basis.q.width, chance.mean, chance.deviation, a.angles.front(), a.angles.back());
  if (c.kernel) {
    text += fmt::format("the kernel's {} leading eigenvectors: {:.6f} with the second, {:.6f} with the first\n",
                        c.first.basis.q.width, c.kernel->with_second.overall, c.kernel->with_first.overall);
  }
  return text;
}

void write_side(ResultFile& file, const std::string& name, const Side& side) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(side.basis.q.width));
  std::iota(numbers.begin(), numbers.end(), std::int64_t{1});
  file.write_scale({"/" + name + "_k", "1", "how many dimensions of the " + name + " subspace", {}}, name + "_k",
                   numbers);
  file.write({"/" + name + "/kept", "1", "numbers, from 0, of the dimensions that count", {"/" + name + "_k"}},
             {side.basis.kept.size()}, side.basis.kept);
  file.write_scale({"/" + name + "/dropped", "1", "numbers of those that the ones before them span", {}}, "dropped",
                   side.basis.dropped);
}

void write_alignment(ResultFile& file, const Comparison& c) {
  const SubspaceAlignment& a = c.alignment;
  const auto curve = [&](const std::string& name, const std::string& what, const std::string& scale,
                         const std::vector<double>& values, const std::string& units = "1") {
    file.write({"/alignment/" + name, units, what, {scale}}, {values.size()}, values);
  };
  std::vector<std::int64_t> numbers(a.both.size());
  std::iota(numbers.begin(), numbers.end(), std::int64_t{1});
  file.write_scale({"/k", "1", "how many dimensions of both subspaces", {}}, "k", numbers);
  file.write_scale({"/angle", "1", "number of a principal angle, ascending", {}}, "angle", numbers);
  write_side(file, "first", c.first);
  write_side(file, "second", c.second);
  std::vector<double> chance;
  std::vector<double> deviation;
  for (const std::int64_t k : numbers) {
    const ChanceAlignment random = chance_alignment(c.samples(), k, k);
    chance.push_back(random.mean);
    deviation.push_back(random.deviation);
  }
  curve("both", "||P1 P2^T||_F^2 / k of the first k dimensions of both", "/k", a.both);
  curve("chance", "mean of the same for random subspaces, k / N", "/k", chance);
  curve("chance_deviation", "its standard deviation", "/k", deviation);
  curve("first_in_second", "the first k of the first in all of the second, over min(k, dimensions of the second)",
        "/first_k", a.first_in_second);
  curve("second_in_first", "the first k of the second in all of the first, over min(k, dimensions of the first)",
        "/second_k", a.second_in_first);
  curve("angles", "principal angles between the two subspaces", "/angle", a.angles, "radians");
  file.write({"/alignment/overall", "1", "all dimensions of both, over the smaller number of them", {}}, {},
             std::vector<double>{a.overall});
  if (!c.kernel) return;
  curve("kernel_second", "the first k eigenvectors of the kernel with the first k of the second, over k", "/k",
        c.kernel->with_second.both);
  curve("kernel_first", "the first k eigenvectors of the kernel with the first k of the first, over k", "/first_k",
        c.kernel->with_first.both);
  file.write({"/alignment/kernel_overall", "1", "the kernel's leading eigenvectors with all of the second", {}}, {},
             std::vector<double>{c.kernel->with_second.overall});
}

}  // namespace

void align_embeddings(const Communicator& comm, AlignConfig config, const RunConfig& run, const std::string& command,
                      Report& report) {
  if (!config.output.empty()) {
    check_output(comm, config.output, config.force, {config.first, config.second, config.kernel});
  }
  const SampleRows first = open_embeddings(comm, config.first);
  const SampleRows second = open_embeddings(comm, config.second);
  require_same_samples(comm, first, second);
  report.start({fmt::format("subspaces of {} and {} dimensions over {} samples", first.matrix.cols, second.matrix.cols,
                            first.matrix.rows)});
  Comparison found = report.stage("align", 0, [&](const auto&) {
    Comparison c{find_basis(comm, first, config.first_order, config.tolerance),
                 find_basis(comm, second, config.second_order, config.tolerance),
                 {},
                 {}};
    c.alignment = compare_subspaces(c.first.basis, c.second.basis, comm);
    return c;
  });
  if (!config.kernel.empty()) {
    found.kernel = report.stage("eigenvectors of the kernel", 0, [&](const auto&) {
      const SubspaceBasis plain = kernel_eigenvectors(comm, config.kernel, found.samples(), found.first.basis.q.width);
      return KernelComparison{compare_subspaces(plain, found.first.basis, comm),
                              compare_subspaces(plain, found.second.basis, comm)};
    });
  }
  report.result("alignment", found.alignment.overall);
  std::int64_t size = 0;
  if (!config.output.empty()) {
    ResultFile file(comm, config.output, config.force, file_layout(run));
    Attributes attributes =
        run_attributes(comm, {"stepwise-alignment", command, config_text(align_options(config)), 0});
    attributes.insert(attributes.end(), {{"first", found.first.rows.matrix.name},
                                         {"second", found.second.rows.matrix.name},
                                         {"samples", found.samples()}});
    if (!config.kernel.empty()) attributes.emplace_back("kernel", config.kernel);
    file.attributes("/", attributes);
    write_alignment(file, found);
    size = file.commit();
    report.result("output", config.output);
  }
  if (comm.rank() != 0) return;
  fmt::print("{}", table(found));
  if (size > 0) fmt::print("{} written\n", config.output);
}

}  // namespace stepwise
