#include "stepwise/kernel/samples.hpp"

#include <cmath>

#include "stepwise/core/error.hpp"

namespace stepwise {

Samples make_samples(std::int64_t features, std::vector<double> data) {
  Samples samples{features, features == 0 ? 0 : static_cast<std::int64_t>(data.size()) / features, std::move(data), {}};
  samples.squared_norms.resize(static_cast<std::size_t>(samples.count));
  for (std::int64_t i = 0; i < samples.count; ++i) {
    const double* x = samples.sample(i);
    double square = 0;
    for (std::int64_t k = 0; k < features; ++k) square += x[k] * x[k];
    if (!std::isfinite(square)) {
      fail(ExitCode::input,
           "a sample has a squared length of {}: its numbers are too large for the kernel, rescale the data", square);
    }
    samples.squared_norms[static_cast<std::size_t>(i)] = square;
  }
  return samples;
}

SingleSamples to_single(const Samples& samples) {
  SingleSamples single{samples.features, samples.count, {samples.data.begin(), samples.data.end()}, {}};
  for (std::int64_t i = 0; i < single.count; ++i) {
    // Of the rounded sample, so that distances of equal samples stay zero.
    const float* x = single.sample(i);
    double square = 0;
    for (std::int64_t k = 0; k < single.features; ++k) square += static_cast<double>(x[k]) * static_cast<double>(x[k]);
    single.squared_norms.push_back(static_cast<float>(square));
    const double exact = samples.squared_norms[static_cast<std::size_t>(i)];
    constexpr double smallest = 1e-30;
    if (!std::isfinite(single.squared_norms.back()) || (exact > 0 && exact < smallest)) {
      fail(ExitCode::input,
           "a sample has a squared length of {}, beyond single precision: rescale the data, or use --kernel.storage "
           "double",
           exact);
    }
  }
  return single;
}

}  // namespace stepwise
