#include "network_pictures.hpp"

#include <algorithm>

#include "simulate_output.hpp"

namespace stepwise {
namespace {

/// Pairs whose part of the tangent kernel is recorded: the matrix grows with their square.
std::int64_t kernel_pairs(const Problem& problem) {
  constexpr std::int64_t most_samples = 256;
  return std::min(problem.samples, most_samples) / problem.pairing.views;
}

/// The kernel of the first pairs, all first views, then all second ones. Collective.
std::vector<double> leading_part(const SampleMatrix& kernel, std::int64_t pairs, std::int64_t views,
                                 const Communicator& data) {
  const std::int64_t count = pairs * views;
  const auto place = [&](std::int64_t sample) { return sample % views * pairs + sample / views; };
  std::vector<double> part(static_cast<std::size_t>(count * count));
  for (std::int64_t i = kernel.own.begin; i < std::min(kernel.own.end, count); ++i) {
    for (std::int64_t j = 0; j < count; ++j) {
      part[static_cast<std::size_t>(place(i) * count + place(j))] = kernel.view()(i - kernel.own.begin, j);
    }
  }
  sum(data, part);
  return part;
}

std::vector<SeriesDataset> datasets_of(const NetworkPictures& of) {
  const auto d = static_cast<hsize_t>(of.run->training.network.outputs());
  const std::int64_t views = of.problem.pairing.views;
  const auto count = static_cast<hsize_t>(kernel_pairs(of.problem) * views);
  const std::vector<hsize_t> shape{static_cast<hsize_t>(views), static_cast<hsize_t>(of.problem.samples / views), d};
  const std::vector<std::string> scales{"/view", "/pair", "/output"};
  std::vector<SeriesDataset> datasets{
      {{"/ntk/change",
        "1",
        "|K - K_0| / |K_0| of the network's tangent kernel on the training samples (Frobenius)",
        {}},
       {}},
      {{"/ntk/kernel",
        "1",
        "the network's tangent kernel, mean over outputs, of all first views, then all second "
        "ones and so on, of the first pairs",
        {"/kernel_sample", "/other_kernel_sample"}},
       {count, count}},
      {{"/measured/embeddings", "1", "f(x, t) of all views of every pair", scales}, shape}};
  if (of.prediction != nullptr) {
    datasets.push_back(
        {{"/predicted/embeddings", "1", "U S(t) A^T k(x) (eq. 40) of all views of every pair", scales}, shape});
    datasets.push_back(
        {{"/difference/embeddings", "1", "norm of measured - predicted over that of predicted", {}}, {}});
  }
  for (const TestGroup& group : test_groups(of.problem.pairs)) {
    datasets.push_back({{"/measured/" + group.name,
                         "1",
                         "f(x, t) of the samples in " + group.name,
                         {"/" + group.name + "_sample", "/output"}},
                        {static_cast<hsize_t>(group.range.size()), d}});
  }
  if (of.probe) datasets.push_back(probe_dataset(*of.probe));
  return datasets;
}

std::vector<BlockVector> outputs_of_tests(const NetworkPictures& of) {
  const std::vector<TestGroup> groups = test_groups(of.problem.pairs);
  std::vector<BlockVector> outputs;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    outputs.push_back(outputs_of(*of.run, of.tests[i].view(), groups[i].range.size(), 1));
  }
  return outputs;
}

/// In the order of datasets_of. Collective.
std::vector<Entry> take(const NetworkPictures& of, std::int64_t record) {
  NetworkRun& run = *of.run;
  const Problem& problem = of.problem;
  const SampleMatrix kernel = tangent_kernel(run.training.network, run.grid, run.own.view());
  std::vector<Entry> entries{std::vector<double>{relative_change(kernel, run.start_kernel, run.grid.data)},
                             leading_part(kernel, kernel_pairs(problem), problem.pairing.views, run.grid.data)};
  BlockVector f = outputs_of(run, run.own.view(), problem.samples, problem.pairing.views);
  std::vector<BlockVector> tests = outputs_of_tests(of);
  std::vector<double> accuracy;
  if (of.probe) {
    accuracy.push_back(probe_accuracy(problem.comm, *of.probe, f, tests.empty() ? nullptr : &tests.front()));
  }
  std::optional<BlockVector> predicted;
  std::vector<double> apart;
  if (of.prediction != nullptr) {
    predicted = predicted_embeddings(*of.prediction, record, of.final_embedding);
    apart.push_back(relative_distance(f, *predicted, problem.comm));
  }
  entries.emplace_back(std::move(f));
  if (predicted) {
    entries.emplace_back(std::move(*predicted));
    entries.emplace_back(std::move(apart));
  }
  for (BlockVector& of_group : tests) entries.emplace_back(std::move(of_group));
  if (of.probe) entries.emplace_back(std::move(accuracy));
  return entries;
}

}  // namespace

std::vector<FixedDataset> picture_scales(const Problem& problem) {
  const std::int64_t count = kernel_pairs(problem) * problem.pairing.views;
  return {number_scale("kernel_sample", "sample of the recorded tangent kernel: all first views, then all second ones",
                       0, count),
          number_scale("other_kernel_sample", "the same, for columns", 0, count)};
}

void record_pictures(Simulation& simulation, const std::shared_ptr<const NetworkPictures>& pictures) {
  simulation.pictured = datasets_of(*pictures);
  simulation.pictures = [pictures](std::int64_t record) { return take(*pictures, record); };
}

}  // namespace stepwise
