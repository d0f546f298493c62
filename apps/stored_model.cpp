#include "stored_model.hpp"

#include <cmath>

#include "matrix_config.hpp"
#include "open_data.hpp"
#include "stepwise/cli/options.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/theory/timescales.hpp"

namespace stepwise {
namespace {

/// The text called `name`, or "" where there is none.
std::string text_of(const Attributes& attributes, const std::string& name) {
  for (const auto& [other, value] : attributes) {
    if (other == name && std::holds_alternative<std::string>(value)) return std::get<std::string>(value);
  }
  return "";
}

/// The settings that made the file, on any number of ranks. @throws Error(input).
SolveConfig stored_config(const std::string& path, const std::string& text) {
  SolveConfig config;
  std::vector<Option> options = solve_options(config);
  read_settings(text, path + ": configuration", options);
  check_consistency(config);
  config.solver.grid = "auto";
  return config;
}

}  // namespace

StoredModel read_model(const Communicator& comm, InputFile& file, const std::string& path) {
  const Attributes attributes = file.attributes("/");
  StoredModel model{.path = path,
                    .config = {},
                    .kernel_convention = text_of(attributes, "kernel_convention"),
                    .sign_convention = text_of(attributes, "sign_convention"),
                    .inputs_checksum = text_of(attributes, "inputs_checksum")};
  model.config = attempt(comm, [&] {
    if (text_of(attributes, "schema_name") != "stepwise-result") {
      fail(ExitCode::input, "{}: is no result of stepwise solve", path);
    }
    const std::string version = text_of(attributes, "schema_version");
    if (!version.starts_with("1.")) {
      fail(ExitCode::input, "{}: has schema_version {}, this program reads 1.x", path, version);
    }
    return stored_config(path, text_of(attributes, "configuration"));
  });
  if (!file.contains("/modes/dual")) {
    throw CollectiveError(ExitCode::input,
                          fmt::format("{}: has no modes (--modes all finds none); solve for some", path));
  }
  const std::vector<std::int64_t> shape = file.extents("/modes/dual");
  attempt(comm, [&] {
    if (shape.size() != 2) fail(ExitCode::input, "{}: /modes/dual has {} dimensions", path, shape.size());
  });
  model.samples = shape[0];
  model.modes = shape[1];
  return model;
}

void look_behind_stored_kernel(const Communicator& comm, StoredModel& model) {
  if (model.config.kernel.type != "precomputed") return;
  std::string path = model.config.kernel.path;  // FILE or FILE:/dataset
  if (const auto colon = path.find(".h5:"); colon != std::string::npos) path.resize(colon + 3);
  if (!path.ends_with(".h5")) return;
  const Attributes attributes = InputFile(comm, path).attributes("/");
  if (text_of(attributes, "schema_name") != "stepwise-kernel") return;
  model.config = attempt(comm, [&] {
    KernelConfig made_by;
    std::vector<Option> options = kernel_command_options(made_by);
    read_settings(text_of(attributes, "configuration"), path + ": configuration", options);
    SolveConfig config = made_by.problem;
    config.modes = model.config.modes;
    config.data.test = 0;
    config.kernel.normalise = config.kernel.normalise || model.config.kernel.normalise;
    config.kernel.centre = model.config.kernel.centre;
    return config;
  });
  model.kernel_convention.clear();
}

PairSource open_training_pairs(const Communicator& comm, InputFile& file, StoredModel& model,
                               const std::string& moved_to) {
  SolveConfig& config = model.config;
  std::string& path = config.kernel.type == "precomputed" ? config.kernel.path : config.data.path;
  attempt(comm, [&] {
    if (!moved_to.empty() && path.empty()) {
      fail(ExitCode::input, "--training-path is given, but {} was trained on synthetic images: leave it out",
           model.path);
    }
  });
  if (!moved_to.empty()) path = moved_to;
  PairSource pairs = attempt(comm, [&] {
    try {
      return open_pairs(config);
    } catch (const Error& error) {
      fail(error.code(), "training data of {}: {}; --training-path says where they are now", model.path, error.what());
    }
  });
  const std::string found = inputs_checksum(comm, pairs);
  attempt(comm, [&] {
    const bool same = model.inputs_checksum.empty() || found == model.inputs_checksum;
    if (view_count(pairs) * pair_count(pairs) != model.samples || !same) {
      fail(ExitCode::input,
           "training data of {}: {} holds other samples now (checksum {}, trained on {}); --training-path says where "
           "the right ones are",
           model.path, path.empty() ? "the generator of synthetic images" : path, found, model.inputs_checksum);
    }
  });
  if (file.contains("/data/channel_mean")) {
    set_standardisation(pairs, {file.numbers("/data/channel_mean"), file.numbers("/data/channel_deviation")});
  } else if (config.data.standardize.value_or(false)) {
    standardise_pairs(comm, pairs);
  }
  return pairs;
}

EmbeddingWeights stored_weights(const Problem& problem, InputFile& file, const StoredModel& model,
                                const std::optional<double>& time) {
  const std::int64_t views = problem.pairing.views;
  const std::int64_t pairs = model.samples / views;
  EmbeddingWeights result;
  BlockVector& weights = result.weights;
  weights = attempt(problem.comm, [&] { return make_block_vector(problem.comm, model.samples, model.modes, views); });
  const Range own{weights.range.begin / views, weights.range.end / views};
  for (std::int64_t view = 0; view < views; ++view) {  // stacked in the file, side by side here
    file.read_rows("/modes/dual", {view * pairs + own.begin, view * pairs + own.end},
                   {weights.data.data() + view * model.modes, model.modes, own.size(), views * model.modes});
  }
  const std::vector<double> gamma = file.numbers("/spectrum/gamma");
  const std::vector<double> s0 = time ? file.numbers("/timescales/s0") : std::vector<double>{};
  std::vector<double> factors;
  attempt(problem.comm, [&] {
    if (std::ssize(gamma) < model.modes || (time && std::ssize(s0) != model.modes)) {
      fail(ExitCode::input, "{}: has {} dual vectors, but gamma or s0 of fewer", model.path, model.modes);
    }
    for (std::size_t j = 0; j < static_cast<std::size_t>(model.modes); ++j) {
      factors.push_back(time ? singular_value(gamma[j], s0[j], *time) : 1 / std::sqrt(gamma[j]));
    }
  });
  scale_vectors(weights, factors);
  if (!problem.centring) return result;
  for (const char* name : {"/modes/offset", "/modes/offset_a", "/modes/offset_b"}) {
    if (!file.contains(name)) continue;
    result.offsets.push_back(file.numbers(name));
    for (std::size_t j = 0; j < factors.size(); ++j) result.offsets.back()[j] *= factors[j] * std::sqrt(gamma[j]);
  }
  attempt(problem.comm, [&] {
    if (std::ssize(result.offsets) != problem.centring->kinds) {
      fail(ExitCode::input, "{}: has a centred kernel, but no /modes/offset", model.path);
    }
  });
  return result;
}

}  // namespace stepwise
