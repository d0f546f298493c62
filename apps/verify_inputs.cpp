#include <algorithm>
#include <filesystem>
#include <limits>

#include "problem.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/io/input_file.hpp"
#include "stepwise/theory/embedding.hpp"
#include "stepwise/theory/mean_pair_kernel.hpp"
#include "stored_model.hpp"
#include "verify_checks.hpp"

namespace stepwise {
namespace {

constexpr double eps = std::numeric_limits<double>::epsilon();

/// Some training samples, numbered pair by pair, all of the same view.
struct SampledView {
  std::int64_t view = 0;
  std::vector<std::int64_t> pairs;
};

/// About `wanted` samples, evenly over the pairs, of each view.
std::vector<SampledView> choose_samples(std::int64_t pairs, std::int64_t views, std::int64_t wanted) {
  std::vector<SampledView> chosen;
  const std::int64_t of_each = std::clamp<std::int64_t>(ceil_div(wanted, views), 1, pairs);
  for (std::int64_t view = 0; view < views; ++view) {
    chosen.push_back({view, {}});
    for (std::int64_t i = 0; i < of_each; ++i) chosen.back().pairs.push_back(i * pairs / of_each);
  }
  return chosen;
}

/// By mode, the largest difference between an embedding by `weights` and what is stored. Collective.
std::vector<double> differences(const Problem& problem, const EmbeddingWeights& weights, const Samples& own,
                                const StoredMatrix& stored, const std::vector<SampledView>& chosen) {
  const std::int64_t views = problem.pairing.views;
  const std::int64_t d = weights.weights.width;
  std::vector<double> worst(static_cast<std::size_t>(d));
  for (const SampledView& some : chosen) {
    const bool kinds = problem.centring && problem.centring->kinds > 1;
    const auto read = [&](Range range) {
      std::vector<std::int64_t> numbers;
      for (std::int64_t i = range.begin; i < range.end; ++i) {
        numbers.push_back(views * some.pairs[static_cast<std::size_t>(i)] + some.view);
      }
      return load_samples(problem, numbers);
    };
    const BlockVector f = embed(problem.kernel, weights, own, problem.comm, std::ssize(some.pairs), read, 1,
                                kinds ? static_cast<std::size_t>(some.view) : 0);
    attempt(problem.comm, [&] {
      std::vector<double> row(static_cast<std::size_t>(d));
      for (std::int64_t s = 0; s < f.range.size(); ++s) {
        const std::int64_t pair = some.pairs[static_cast<std::size_t>(f.range.begin + s)];
        const std::int64_t number = some.view * (problem.samples / views) + pair;
        stored.read({number, number + 1}, {0, d}, {row.data(), 1, d, 1});
        for (std::size_t j = 0; j < row.size(); ++j) {
          const double off = std::abs(row[j] - f.local()(static_cast<std::int64_t>(j), s));
          worst[j] = off <= worst[j] ? worst[j] : std::isnan(off) ? HUGE_VAL : off;
        }
      }
    });
  }
  for (double& x : worst) x = max(problem.comm, x);
  return worst;
}

/// What rounding may do to a sum of weighted kernel entries: by mode, the sum of |w_ij|. Collective.
std::vector<double> total_weights(const Communicator& comm, const BlockVector& weights) {
  std::vector<double> total(static_cast<std::size_t>(weights.width));
  const auto local = weights.local();
  for (std::int64_t s = 0; s < local.cols; ++s) {
    for (std::int64_t j = 0; j < local.rows; ++j) total[static_cast<std::size_t>(j)] += std::abs(local(j, s));
  }
  sum(comm, total);
  return total;
}

/// The larger of what was found and what is allowed, both for the mode that comes nearest to failing.
void add_worst(Checks& checks, const std::string& name, const std::vector<double>& found,
               const std::vector<double>& allowed) {
  std::size_t worst = 0;
  for (std::size_t j = 0; j < found.size(); ++j) {
    if (found[j] / allowed[j] > found[worst] / allowed[worst]) worst = j;
  }
  checks.at_most(name, found[worst], allowed[worst]);
}

/// Embeddings and eigenequation with the kernel evaluated anew for some samples and all training samples.
void check_kernel(Checks& checks, const VerifyConfig& config, const Problem& problem, InputFile& file,
                  const StoredModel& model, const FileContents& contents) {
  const Communicator& comm = problem.comm;
  const std::int64_t views = problem.pairing.views;
  const Samples own = load_share(problem);
  const double mean = file.numbers("/diagnostics/mean_pair_kernel").front();
  const double negative =
      has(contents, "/diagnostics/negative_eigenvalue") ? -file.numbers("/diagnostics/negative_eigenvalue").front() : 0;
  const double entry = std::abs(mean) + 1e3 * eps;
  if (!problem.centring && negative <= 0) {
    checks.at_most(
        "mean pair kernel, from the inputs",
        std::abs(mean_pair_kernel(problem.kernel, own, problem.samples, comm, problem.pairing) - mean) / entry, 1e-10);
  }
  const std::int64_t wanted = std::min(config.samples.value_or(problem.samples), problem.samples);
  if (wanted == 0) return checks.skip("kernel, from the inputs", "--samples 0");
  const std::vector<SampledView> chosen = choose_samples(problem.samples / views, views, wanted);
  const StoredMatrix stored = attempt(comm, [&] { return open_sample_rows(model.path, {"/embeddings/train"}).matrix; });
  const std::string which = fmt::format("{} samples", chosen.front().pairs.size() * chosen.size());

  const EmbeddingWeights dual = stored_weights(problem, file, model, std::nullopt);
  const std::vector<double> gamma = file.numbers("/spectrum/gamma");
  const std::vector<double> residual = file.numbers("/diagnostics/residual");
  std::vector<double> rounding = total_weights(comm, dual.weights);
  for (double& x : rounding) x = 1e-9 + x * (1e3 * eps * entry + negative);
  add_worst(checks, fmt::format("f_j = gamma_j^-1/2 sum a_ij k, {}", which),
            differences(problem, dual, own, stored, chosen), rounding);

  Embedding embedding{{gamma.begin(), gamma.begin() + model.modes},
                      {},
                      read_paired(comm, model.path, "/embeddings/train", views),
                      problem.pairing};
  EmbeddingWeights pairs = embedding_weights(embedding);
  pairs.offsets = dual.offsets;
  std::vector<double> allowed = rounding;
  for (std::size_t j = 0; j < allowed.size(); ++j) {  // |(K r)_i| <= sqrt(k_ii) |r|_K
    allowed[j] += 100 * std::sqrt(entry) * residual[j] * gamma.front() / std::pow(gamma[j], 1.5);
  }
  add_worst(checks, fmt::format("T a_j = gamma_j a_j, {}", which), differences(problem, pairs, own, stored, chosen),
            allowed);
}

void check_labels(Checks& checks, const Problem& problem, InputFile& file, const FileContents& contents) {
  if (!has(contents, "/data/labels")) return;
  const std::vector<std::int64_t> labels = attempt(problem.comm, [&] { return train_labels(problem.pairs); });
  checks.add("labels, from the inputs", labels == file.integers("/data/labels"), fmt::format("{}", labels.size()));
}

}  // namespace

void check_inputs(Checks& checks, const Communicator& comm, const VerifyConfig& config, const FileContents& contents) {
  if (!has(contents, "/modes/dual")) return checks.skip("inputs", "there are no modes to compare with");
  InputFile file(comm, config.file);
  StoredModel model = read_model(comm, file, config.file);
  const bool stored = model.config.kernel.type == "precomputed";
  std::string path = stored ? model.config.kernel.path : model.config.data.path;
  if (!config.training_path.empty()) path = config.training_path;
  std::int64_t there = 1;
  attempt_on_root(comm, [&] {
    std::error_code ignored;
    const auto colon = path.rfind(":/");
    there = path.empty() || std::filesystem::exists(path, ignored) ||
            (colon != std::string::npos && std::filesystem::exists(path.substr(0, colon), ignored));
  });
  if (min(comm, comm.rank() == 0 ? there : 1) == 0) {
    return checks.skip("inputs", path + " is not there; --training-path says where they are now");
  }
  const PairSource pairs = open_training_pairs(comm, file, model, config.training_path);
  checks.add("inputs", true,
             model.inputs_checksum.empty() ? "a stored kernel, without a checksum"
                                           : fmt::format("checksum {}", model.inputs_checksum));
  const Problem problem = pose(comm, model.config, pairs);
  checks.add("kernel in words", problem.convention == model.kernel_convention, problem.convention);
  check_labels(checks, problem, file, contents);
  check_kernel(checks, config, problem, file, model, contents);
}

}  // namespace stepwise
