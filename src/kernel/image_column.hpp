#pragma once

#include <cstdint>

#include "stepwise/kernel/activation.hpp"

// Rows of pixel pairs (p, p + offset) of a few pairs of images at once, one pair in each lane of a vector unit;
// compiled with -ffast-math like columns.hpp. Everything is stored pixel by pixel, lane by lane.

namespace stepwise {

/// Pairs of images handled at once: 64 bytes.
template <class T>
inline constexpr std::int64_t lanes = 64 / static_cast<std::int64_t>(sizeof(T));

/// distance[i] <- scale sum_channels |x - y|^2 for `pixels` neighbours; channels lie x_stride and y_stride pixels
/// apart.
void input_distances(std::int64_t pixels, std::int64_t channels, double scale, const double* x, std::int64_t x_stride,
                     const double* y, std::int64_t y_stride, double* distance);
void input_distances(std::int64_t pixels, std::int64_t channels, float scale, const float* x, std::int64_t x_stride,
                     const float* y, std::int64_t y_stride, float* distance);

/// ntk <- weight c + inherit ntk, with c = (r^2 + s^2 - distance) / 2 of signals of lengths r, s.
void add_covariance(std::int64_t pixels, double weight, double inherit, const double* r, const double* s,
                    const double* distance, double* ntk);
void add_covariance(std::int64_t pixels, float weight, float inherit, const float* r, const float* s,
                    const float* distance, float* ntk);

/// A field of pixel pairs with a margin around it: rows x cols pixels inside, `margin` more on each side.
template <class T>
struct Field {
  T* data;
  std::int64_t rows;
  std::int64_t cols;
  std::int64_t margin;

  [[nodiscard]] T* row(std::int64_t y) const noexcept {
    return data + ((y + margin) * (cols + 2 * margin) + margin) * lanes<T>;
  }
};

/// field <- factor times the sums over (2 radius + 1)^2 neighbours, plus `constant`; reads the margin, which is at
/// least `radius`. `scratch` has room for a field.
void box_sums(const Field<double>& field, std::int64_t radius, double factor, double constant, double* scratch);
void box_sums(const Field<float>& field, std::int64_t radius, float factor, float constant, float* scratch);

/// A rectifier's g = E[phi^2] / E[z^2], q = (1 - slope)^2 / (2 pi); even: the absolute value.
template <class T>
struct RectifierStep {
  T g;
  T q;
  bool even;
};

/// distance and ntk behind a rectifier for signals of lengths r and s:
/// |u - v|^2 <- g |u - v|^2 - 2 q r s (sin th - th cos th); ntk <- ntk (g - q th).
void rectify(std::int64_t pixels, const RectifierStep<double>& step, const double* r, const double* s, double* distance,
             double* ntk);
void rectify(std::int64_t pixels, const RectifierStep<float>& step, const float* r, const float* s, float* distance,
             float* ntk);

/// The same for any other activation but ScalarActivation; r_after and s_after are the lengths behind it.
void activate_pixels(const Activation& activation, std::int64_t pixels, const double* r, const double* s,
                     const double* r_after, const double* s_after, double* distance, double* ntk);
void activate_pixels(const Activation& activation, std::int64_t pixels, const float* r, const float* s,
                     const float* r_after, const float* s_after, float* distance, float* ntk);

/// Sums of c, of the distance and of the NTK, one number for each lane: `sums` has 3 times lanes<T> of them.
void add_up(std::int64_t pixels, const double* r, const double* s, const double* distance, const double* ntk,
            double* sums);
void add_up(std::int64_t pixels, const float* r, const float* s, const float* distance, const float* ntk, float* sums);

/// Adds c and ntk of `pixels` neighbours to c_sum and ntk_sum.
void add_block(std::int64_t pixels, const double* r, const double* s, const double* distance, const double* ntk,
               double* c_sum, double* ntk_sum);
void add_block(std::int64_t pixels, const float* r, const float* s, const float* distance, const float* ntk,
               float* c_sum, float* ntk_sum);

/// distance <- r^2 + s^2 - 2 scale c, zero where that is rounding; ntk <- scale ntk_in.
void from_covariances(std::int64_t pixels, double scale, const double* r, const double* s, const double* c,
                      const double* ntk_in, double* distance, double* ntk);
void from_covariances(std::int64_t pixels, float scale, const float* r, const float* s, const float* c,
                      const float* ntk_in, float* distance, float* ntk);

}  // namespace stepwise
