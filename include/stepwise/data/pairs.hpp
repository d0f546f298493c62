#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "stepwise/core/index.hpp"
#include "stepwise/core/matrix_view.hpp"
#include "stepwise/data/images.hpp"
#include "stepwise/data/stored_matrix.hpp"
#include "stepwise/data/views.hpp"

namespace stepwise {

// A pair has V views, two unless said otherwise. Samples are numbered pair by pair: sample V i + v is view v of pair i.
// A pair then stays inside one block of a block-cyclic matrix (docs/architecture.md).

/// Positive pairs made from images: `view_count` views of each, `per_image` times. Pair i shows image i mod images, so
/// the first pairs show different images.
struct ImagePairs {
  ImageSource train;
  ImageSource test;
  std::int64_t pairs = 0;
  std::int64_t tests = 0;
  std::int64_t per_image = 1;
  std::int64_t view_count = 2;
  ViewOptions views;
  std::uint64_t seed = 0;
  Standardisation standardisation;
};

/// Positive pairs stored in an HDF5 file: view_a, view_b, view_c, ... (n x ...), optionally test (n_test x ...), labels
/// (n) and test_labels (n_test). Any integer or floating-point type; everything after the first dimension is one
/// sample.
struct ArrayPairs {
  std::string path;
  /// n: {1, 1, 1}; n x m: {1, 1, m}; n x c x w: {c, 1, w}; n x c x h x ...: {c, h, product of the rest}.
  ImageShape shape;
  std::int64_t pairs = 0;
  std::int64_t tests = 0;
  Standardisation standardisation;
  std::int64_t views = 2;
  std::string test_name = "test";  ///< dataset of the test samples
};

/// Pairs of two modalities (an image and its caption) in an HDF5 file: view_a and view_b, n x ... each with a shape of
/// its own, optionally test_a, test_b and labels (n). Samples of both have the same length: [modality, its numbers,
/// zeros], as MultimodalKernel takes them; modality 0 is view_a.
struct MultimodalPairs {
  std::string path;
  std::array<ImageShape, 2> shapes;  ///< of the samples in view_a and view_b
  std::int64_t pairs = 0;
  std::array<std::int64_t, 2> tests{};  ///< in test_a and test_b
  Standardisation standardisation;      ///< channels of view_a, then those of view_b
};

/// Views of the same thing that are rows of a stored kernel matrix. A sample is one number, its row; test sample t of the stored test
/// kernel has the number train->rows + t.
struct IndexPairs {
  std::shared_ptr<const StoredMatrix> train;
  std::shared_ptr<const StoredMatrix> test;  ///< may be null
  std::int64_t pairs = 0;
  std::int64_t tests = 0;
  bool interleaved = false;  ///< pair i is rows V i, V i + 1, ...; else rows i, n + i, ..., with V n rows in all
  Standardisation standardisation;
  std::int64_t views = 2;  ///< V

  /// The row of training sample `sample`, numbered as above.
  [[nodiscard]] std::int64_t row(std::int64_t sample) const noexcept {
    return interleaved ? sample : sample / views + sample % views * (train->rows / views);
  }
};

using PairSource = std::variant<ImagePairs, ArrayPairs, MultimodalPairs, IndexPairs>;

/// Opens `path`, checks it and keeps nothing open. `pairs` and `tests`: how many of the first to use, -1 for all
/// (no tests where there is no dataset test). `views`: how many of view_a, view_b, ..., -1 for as many as there are
/// without a gap.
/// @throws Error(input) naming file and dataset: missing view_a or view_b, views of different shape, a test set of
/// other sample shape, labels of other length, a type that is not a number, no samples, or more asked for than there
/// are.
[[nodiscard]] ArrayPairs open_array_pairs(const std::string& path, std::int64_t pairs, std::int64_t tests,
                                          std::int64_t views = -1);

/// Samples without pairs, to be read as tests: the dataset `samples`, or `test` where there is none of that name.
/// @throws Error(input) as above.
[[nodiscard]] ArrayPairs open_array_samples(const std::string& path);

/// Pairs of two modalities. `tests`: at most so many of test_a and of test_b, -1 for all.
/// @throws Error(input) as above, but for shapes: view_a and view_b need the same number of rows only.
[[nodiscard]] MultimodalPairs open_multimodal_pairs(const std::string& path, std::int64_t pairs, std::int64_t tests);

/// How many images `pairs` pairs are made of: the last image may show up less often.
[[nodiscard]] inline std::int64_t image_count(const ImagePairs& source) {
  return ceil_div(source.pairs, source.per_image);
}

[[nodiscard]] std::int64_t pair_count(const PairSource& source);
/// V: how many views each pair has.
[[nodiscard]] std::int64_t view_count(const PairSource& source);
[[nodiscard]] std::int64_t test_count(const PairSource& source);
/// Test samples that belong together: all of them ("test"), or those of one modality ("test_a", "test_b").
struct TestGroup {
  std::string name;
  Range range;
  std::size_t modality = 0;
};
/// Those that are not empty, in order.
[[nodiscard]] std::vector<TestGroup> test_groups(const PairSource& source);
/// Shape of a sample as the kernel sees it (after cropping); of two modalities one row of the common length.
[[nodiscard]] ImageShape sample_shape(const PairSource& source);

/// Writes training samples `samples` (numbered as above) into the columns of `out` (sample_shape.size() x
/// samples.size()). Local: reads only what is asked for. @throws Error(input) for NaN or Inf, naming file, dataset and
/// sample.
void read_samples(const PairSource& source, std::span<const std::int64_t> samples, MatrixView<double> out);

/// Writes test samples [range.begin, range.end) into the columns of `out`. @throws as read_samples.
void read_tests(const PairSource& source, Range range, MatrixView<double> out);

/// Labels of the training pairs, or of the test samples; empty where there are none. Local.
/// @throws Error(input) for a label beyond 64 bits with sign, or stored in floating point and not a whole number.
[[nodiscard]] std::vector<std::int64_t> train_labels(const PairSource& source);
[[nodiscard]] std::vector<std::int64_t> test_labels(const PairSource& source);

/// Mean and centred sum of squares of each channel of each pair in `range`, before any standardisation:
/// row-major [pair][mean of channel 0, 1, ..., sum of squares of channel 0, 1, ...]. Of the whole image before cropping
/// for image pairs, of all views for array
/// pairs; of two modalities the channels of one, then those of the other.
[[nodiscard]] std::vector<double> pair_moments(const PairSource& source, Range range);

/// Combines the moments of all pairs, in order, into the standardisation (Chan, Golub, LeVeque 1979): the result
/// depends on the data alone, not on how the pairs were shared out. `pixels`: how many numbers of each channel entered
/// each pair's moments. The deviation is the population's (divided by the count), and 1 for a constant channel.
/// @throws Error(input) when the moments overflow.
[[nodiscard]] Standardisation standardise(std::span<const double> moments, std::span<const std::int64_t> pixels);

/// Numbers of each channel that enter one pair's moments.
[[nodiscard]] std::vector<std::int64_t> moment_pixels(const PairSource& source);
/// Sets the standardisation that read_samples and read_tests apply.
void set_standardisation(PairSource& source, Standardisation standardisation);

}  // namespace stepwise
