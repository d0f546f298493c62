#include "embed_config.hpp"

#include "stepwise/core/error.hpp"
#include "stepwise/data/image_files.hpp"

namespace stepwise {

std::vector<Option> embed_options(EmbedConfig& c) {
  constexpr std::int64_t most_samples = std::int64_t{1} << 46;
  constexpr double longest = 1e300;
  return {
      text_option("model", "FILE", "result of stepwise solve: kernel, dual vectors, and where its data are", c.model),
      text_option("training-path", "PATH", "the model's training data, where they are not as its --data.path says",
                  c.training_path),
      auto_option("time", "T|final", "embeddings f(x, T) at this time of training (learning rate x steps), or its end",
                  c.time, 0, longest, "final"),
      text_option("output", "FILE", "the HDF5 file of embeddings", c.output),
      flag_option("force", "replace an existing file", c.force),
      choice_option("data.source",
                    "new samples: those of an HDF5 file, images; or the model's own training or test samples",
                    c.data.source, {"hdf5", "cifar10", "mnist", "stl10", "synthetic", "training", "test"}),
      text_option("data.path", "PATH",
                  "HDF5 file with a dataset samples (or test), or files of images as for stepwise solve", c.data.path),
      choice_option("data.part", "of images: which ones", c.data.part, {"train", "test"}),
      integer_option("data.first", "I", "number of the first sample to embed", c.data.first, 0, most_samples),
      auto_option("data.count", "N", "how many samples; auto: all from the first on, 256 synthetic", c.data.count, 1,
                  most_samples),
  };
}

bool embeds_own_samples(const EmbedConfig& c) {
  return c.data.source == "training" || c.data.source == "test";
}

void check_consistency(const EmbedConfig& c) {
  if (c.model.empty()) fail(ExitCode::input, "--model is missing: name a result of stepwise solve");
  if (c.output.empty()) fail(ExitCode::input, "--output is missing: name the file to write, for example emb.h5");
  const bool image_files = image_set_called(c.data.source).has_value();
  const bool reads_a_path = c.data.source == "hdf5" || image_files;
  if (reads_a_path && c.data.path.empty()) fail(ExitCode::input, "--data.source {} needs --data.path", c.data.source);
  if (!reads_a_path && !c.data.path.empty()) {
    fail(ExitCode::input, "--data.path {} is given, but --data.source is {}: choose what is there{}", c.data.path,
         c.data.source, embeds_own_samples(c) ? "; --training-path is where the model's own data are" : "");
  }
  if (embeds_own_samples(c) && (c.data.first != 0 || c.data.count)) {
    fail(ExitCode::input, "--data.first and --data.count choose among new samples, not for --data.source {}",
         c.data.source);
  }
  if (c.data.part != "test" && !image_files && c.data.source != "synthetic") {
    fail(ExitCode::input, "--data.part {} is of images, not for --data.source {}: leave it out", c.data.part,
         c.data.source);
  }
}

}  // namespace stepwise
