#include "open_data.hpp"

#include <algorithm>

#include "precomputed.hpp"
#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

MultimodalPairs open_two_modalities(SolveConfig& c) {
  MultimodalPairs both =
      open_multimodal_pairs(c.data.path, c.data.pairs.value_or(-1), c.data.test.value_or(c.modes ? -1 : 0));
  c.data.pairs = both.pairs;
  c.data.test = std::max(both.tests[0], both.tests[1]);
  c.data.standardize = c.data.standardize.value_or(false);
  c.views.count = 2;
  c.views.crop = 0;
  return both;
}

ArrayPairs open_arrays(SolveConfig& c) {
  ArrayPairs arrays = open_array_pairs(c.data.path, c.data.pairs.value_or(-1), c.data.test.value_or(c.modes ? -1 : 0),
                                       c.views.count.value_or(-1));
  c.views.count = arrays.views;
  c.data.pairs = arrays.pairs;
  c.data.test = arrays.tests;
  c.data.standardize = c.data.standardize.value_or(false);
  c.views.crop = 0;
  return arrays;
}

/// Pairs of images, but for the images.
ImagePairs begin_images(SolveConfig& c) {
  constexpr std::int64_t usual_crop = 20;
  c.data.test = c.data.test.value_or(0);
  c.data.standardize = c.data.standardize.value_or(true);
  c.views.crop = c.views.crop.value_or(usual_crop);
  c.views.count = c.views.count.value_or(2);
  ImagePairs images;
  images.view_count = *c.views.count;
  images.views = {*c.views.crop, c.views.flip, c.views.noise};
  images.seed = static_cast<std::uint64_t>(c.seed);
  images.per_image = c.views.per_image;
  return images;
}

ImagePairs finish_images(const SolveConfig& c, ImagePairs images) {
  images.pairs = *c.data.pairs;
  images.tests = *c.data.test;
  (void)view_shape(shape(images.train), images.views);  // refuses a crop that does not fit
  return images;
}

void check_count(const char* option, std::int64_t wanted, std::int64_t available, const SolveConfig& c,
                 std::string_view otherwise) {
  if (wanted <= available) return;
  fail(ExitCode::input, "{} asks for {} images, but {} has {}{}", option, wanted, c.data.path, available, otherwise);
}

ImagePairs open_image_files(SolveConfig& c, ImageSet set) {
  ImagePairs images = begin_images(c);
  const std::int64_t tests = *c.data.test;
  const std::vector<ImageFile> train_files = find_images(set, c.data.path, ImagePart::train);
  const std::vector<ImageFile> test_files =
      tests > 0 ? find_images(set, c.data.path, ImagePart::test) : std::vector<ImageFile>{};
  const bool one_part = test_files == train_files;  // the test images are then those after the training images
  const std::int64_t available = image_count(train_files);
  const std::int64_t left = one_part ? available - tests : available;
  if (one_part) {
    check_count("--data.test", tests, available - 1, c, " for training and testing together, its only part");
  }
  if (!c.data.pairs) c.data.pairs = images.per_image * left;
  images.pairs = *c.data.pairs;
  const std::int64_t used = image_count(images);
  check_count("--data.pairs", used, left, c,
              fmt::format("{}: ask for {} or fewer, or for several pairs of each with --views.per-image",
                          one_part ? fmt::format(" less the {} of --data.test, in its only part", tests) : "", left));
  images.train = read_images(set, train_files, {0, used});
  if (tests > 0) {
    const std::int64_t first = one_part ? used : 0;
    check_count("--data.test", tests, image_count(test_files) - first, c,
                fmt::format(" for testing: ask for {} or fewer", image_count(test_files) - first));
    images.test = read_images(set, test_files, {first, first + tests});
    if (shape(images.test) != shape(images.train)) {
      fail(ExitCode::input, "{}: its test images have {} x {} pixels, its training images {} x {}", c.data.path,
           shape(images.test).height, shape(images.test).width, shape(images.train).height, shape(images.train).width);
    }
  }
  return finish_images(c, std::move(images));
}

}  // namespace

std::string note_on_parts(const SolveConfig& c) {
  const auto set = image_set_called(c.data.source);
  if (!set || (*set == ImageSet::cifar10 && *c.data.test == 0)) return "";
  const std::vector<ImageFile> files = find_images(*set, c.data.path, ImagePart::train);
  if (files != find_images(*set, c.data.path, ImagePart::test)) return "";
  const std::string tests =
      *c.data.test > 0 ? fmt::format("; the {} test images are those after the training images", *c.data.test) : "";
  return fmt::format("{} is the only part of {} there is: it is the training set{}", files.front().path, c.data.source,
                     tests);
}

PairSource draw_pairs(SolveConfig& c, const ImageShape& shape) {
  constexpr std::int64_t usual_pairs = 256;
  ImagePairs images = begin_images(c);
  c.data.pairs = c.data.pairs.value_or(usual_pairs);
  images.train = DeadLeaves{.shape = shape, .seed = images.seed, .first = 0};
  images.test = DeadLeaves{.shape = shape, .seed = images.seed, .first = first_synthetic_test};
  return finish_images(c, std::move(images));
}

PairSource open_pairs(SolveConfig& c) {
  if (c.kernel.type == "precomputed") return open_index_pairs(c);
  if (c.data.multimodal) return open_two_modalities(c);
  if (c.data.source == "hdf5") return open_arrays(c);
  if (const auto set = image_set_called(c.data.source)) return open_image_files(c, *set);
  return draw_pairs(c, DeadLeaves{}.shape);
}

}  // namespace stepwise
