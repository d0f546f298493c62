#include "embed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "open_data.hpp"
#include "problem.hpp"
#include "run_attributes.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/cli/time_limit.hpp"
#include "stepwise/core/memory.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/io/input_file.hpp"
#include "stepwise/io/result_file.hpp"
#include "stored_model.hpp"

namespace stepwise {
namespace {

using Progress = std::function<void(double)>;

/// Samples that are embedded alike.
struct Part {
  std::int64_t count = 0;
  std::size_t kind = 0;                  ///< for centred kernels
  std::function<Samples(Range)> read{};  ///< some of them. Local; may throw
};

/// One dataset of the output: its parts, one below the other.
struct Batch {
  std::string suffix;  ///< of its name
  std::string what;    ///< its samples, in words
  std::vector<Part> parts;
};

std::size_t kind_of(const Problem& problem, std::size_t modality) {
  return problem.centring && problem.centring->kinds > 1 ? modality : 0;
}

/// All views of the training samples, stacked as in the result file.
Batch training_samples(const Problem& problem) {
  const std::int64_t views = problem.pairing.views;
  Batch batch{"", "training sample in the combined data set: i is view 0 of pair i, n + i is view 1, and so on", {}};
  for (std::int64_t view = 0; view < views; ++view) {
    const auto read = [&problem, views, view](Range range) {
      std::vector<std::int64_t> numbers;
      for (std::int64_t pair = range.begin; pair < range.end; ++pair) numbers.push_back(views * pair + view);
      return load_samples(problem, numbers);
    };
    batch.parts.push_back({problem.samples / views, kind_of(problem, static_cast<std::size_t>(view)), read});
  }
  return batch;
}

/// The model's own test samples, one dataset for each modality.
std::vector<Batch> test_samples(const Problem& problem, const std::string& model) {
  std::vector<Batch> batches;
  for (const auto& [name, range, modality] : test_groups(problem.pairs)) {
    const auto read = [&problem, first = range.begin](Range some) {
      return load_tests(problem, {first + some.begin, first + some.end});
    };
    batches.push_back({name.substr(4), "sample in " + name, {{range.size(), kind_of(problem, modality), read}}});
  }
  attempt(problem.comm, [&] {
    if (batches.empty()) fail(ExitCode::input, "--data.source test: {} was made without test samples", model);
  });
  return batches;
}

/// New samples, cropped and standardised as the model's test samples are. Local. @throws Error(input).
PairSource open_new_samples(const EmbedConfig& config, const StoredModel& model, const PairSource& training) {
  if (model.config.kernel.type == "precomputed" || model.config.data.multimodal) {
    fail(ExitCode::input, "--data.source {}: a model with {} embeds its own samples only, choose training or test",
         config.data.source, model.config.data.multimodal ? "--data.multimodal" : "--kernel.type precomputed");
  }
  const auto standardisation = std::visit([](const auto& source) { return source.standardisation; }, training);
  PairSource source;
  if (config.data.source == "hdf5") {
    source = open_array_samples(config.data.path);
  } else {
    ImagePairs images;
    images.views.crop = *model.config.views.crop;
    if (const auto set = image_set_called(config.data.source)) {
      const auto part = config.data.part == "train" ? ImagePart::train : ImagePart::test;
      const std::vector<ImageFile> files = find_images(*set, config.data.path, part);
      images.tests = image_count(files);
      if (config.data.count) images.tests = std::min(images.tests, config.data.first + *config.data.count);
      images.test = read_images(*set, files, {0, images.tests});
    } else {
      const std::int64_t first = config.data.part == "train" ? 0 : first_synthetic_test;
      images.test = DeadLeaves{.seed = static_cast<std::uint64_t>(model.config.seed), .first = first};
      images.tests = config.data.first + config.data.count.value_or(256);
    }
    images.train = DeadLeaves{.shape = shape(images.test)};
    source = std::move(images);
  }
  set_standardisation(source, standardisation);
  const ImageShape found = sample_shape(source);
  const ImageShape wanted = sample_shape(training);
  if (found != wanted) {
    fail(ExitCode::input, "--data.source {}: samples of {} x {} x {} numbers, but {} was trained on {} x {} x {}{}",
         config.data.source, found.channels, found.height, found.width, model.path, wanted.channels, wanted.height,
         wanted.width, model.config.views.crop.value_or(0) > 0 ? ", after cropping" : "");
  }
  return source;
}

/// The part of them that is asked for. @throws Error(input).
Batch chosen_samples(const EmbedConfig& config, const Problem& problem, const PairSource& source) {
  const std::int64_t available = test_count(source);
  const std::int64_t first = config.data.first;
  const std::int64_t count = config.data.count.value_or(available - first);
  if (first + count > available || count < 1) {
    fail(ExitCode::input, "--data.first {} and --data.count {}: {} has {} samples", first, count,
         config.data.path.empty() ? config.data.source : config.data.path, available);
  }
  const auto read = [&problem, &source, first](Range some) {
    return load_tests(problem, source, {first + some.begin, first + some.end});
  };
  return {"", fmt::format("new sample, the first one being number {} of the source", first), {{count, 0, read}}};
}

void write_batch(ResultFile& file, const Problem& problem, const EmbeddingWeights& weights, const Samples& own,
                 const Batch& batch, const EmbedConfig& config, const Progress& progress) {
  constexpr std::int64_t samples_a_turn = 4096;
  std::vector<Range> turns;
  std::vector<std::pair<const Part*, std::int64_t>> part_of_turn;  // and the first row of the part
  std::int64_t rows = 0;
  for (const Part& part : batch.parts) {
    for (std::int64_t begin = 0; begin < part.count; begin += samples_a_turn) {
      turns.push_back({rows + begin, rows + std::min(begin + samples_a_turn, part.count)});
      part_of_turn.emplace_back(&part, rows);
    }
    rows += part.count;
  }
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(rows));
  std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
  const std::string sample = "/sample" + batch.suffix;
  file.write_scale({sample, "1", "number of a " + batch.what, {}}, sample.substr(1), numbers);
  std::size_t turn = 0;
  const std::string when = config.time ? fmt::format("at time {}", *config.time) : "at the end of training";
  file.write_turns({"/embeddings/new" + batch.suffix, "1", "embedding f_j(x) " + when, {sample, "/mode"}}, rows,
                   weights.weights.width, turns, [&](Range range) {
                     const auto [part, start] = part_of_turn[turn++];
                     const auto read = [&, part = part, first = range.begin - start](Range some) {
                       return part->read({first + some.begin, first + some.end});
                     };
                     BlockVector made =
                         embed(problem.kernel, weights, own, problem.comm, range.size(), read, 1, part->kind);
                     progress(static_cast<double>(range.end) / static_cast<double>(rows));
                     return made;
                   });
}

}  // namespace

void embed_samples(const Communicator& comm, EmbedConfig config, const RunConfig& run, const std::string& command,
                   Report& report) {
  const TimeLimit limit(comm, comm.rank() == 0 ? wall_time(run) : std::nullopt);
  check_output(comm, config.output, config.force, {config.model, config.data.path, config.training_path});
  InputFile stored(comm, config.model);
  StoredModel model = read_model(comm, stored, config.model);
  if (config.data.source != "test") model.config.data.test = 0;
  const bool own_samples = config.data.source == "test" || config.data.source == "training";
  if (!own_samples) look_behind_stored_kernel(comm, model);
  const PairSource pairs = report.stage("open training data", 0, [&](const auto&) {
    return open_training_pairs(comm, stored, model, config.training_path);
  });
  const Problem problem = pose(comm, model.config, pairs);
  attempt(comm, [&] {
    if (!model.kernel_convention.empty() && problem.convention != model.kernel_convention) {
      fail(ExitCode::input, "--model {}: was made with the kernel '{}', its settings now mean '{}'", config.model,
           model.kernel_convention, problem.convention);
    }
  });
  const EmbeddingWeights weights = stored_weights(problem, stored, model, config.time);

  PairSource source;
  std::vector<Batch> batches;
  if (config.data.source == "training") {
    batches = {training_samples(problem)};
  } else if (config.data.source == "test") {
    batches = test_samples(problem, config.model);
  } else {
    source = attempt(comm, [&] { return open_new_samples(config, model, pairs); });
    batches = attempt(comm, [&] { return std::vector{chosen_samples(config, problem, source)}; });
  }

  report.start({fmt::format("embeddings by {} modes of {} samples of {} numbers", model.modes, problem.samples,
                            problem.features),
                problem.convention});
  const Samples own = load_share(problem);
  ResultFile file(comm, config.output, config.force, file_layout(run));
  Attributes attributes =
      run_attributes(comm, {"stepwise-embeddings", command, config_text(embed_options(config)), model.config.seed});
  attributes.insert(
      attributes.end(),
      {{"model", config.model}, {"kernel_convention", problem.convention}, {"sign_convention", model.sign_convention}});
  if (config.time) attributes.emplace_back("time", *config.time);
  file.attributes("/", attributes);
  std::vector<std::int64_t> modes(static_cast<std::size_t>(model.modes));
  std::iota(modes.begin(), modes.end(), std::int64_t{1});
  file.write_scale({"/mode", "1", "number of a mode, by descending gamma", {}}, "mode", modes);
  for (const Batch& batch : batches) {
    std::int64_t rows = 0;
    for (const Part& part : batch.parts) rows += part.count;
    const double flops = 2.0 * static_cast<double>(problem.samples * problem.features) * static_cast<double>(rows);
    try {
      report.stage("embed and write", flops, [&](const Progress& progress) {
        write_batch(file, problem, weights, own, batch, config, progress);
      });
    } catch (const CollectiveError& error) {
      if (error.code() != ExitCode::stopped) throw;
      throw CollectiveError(
          ExitCode::stopped,
          fmt::format("by {}; nothing is kept of embeddings. Start again with:\n  {}", limit.cause(), command));
    }
  }
  const std::int64_t size = file.commit();
  report.moved(static_cast<double>(size));
  report.result("output", config.output);
  const std::string timing = report.timing_table();
  if (comm.rank() == 0) {
    fmt::print("{}\n{} written, {}\n", timing, config.output, format_bytes(static_cast<double>(size)));
  }
}

}  // namespace stepwise
