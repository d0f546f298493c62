#include "kernel/activation_columns.hpp"

#include <algorithm>
#include <cmath>

#include "kernel/vector_angle.hpp"
#include "kernel/vector_pair.hpp"

namespace stepwise {
namespace {

/// Rectifiers, with g = E[phi^2] / E[z^2] and q = (1 - slope)^2 / (2 pi): x.y -> q r s sin th + (g - q th) x.y.
/// even: the absolute value, where antipodal signals become equal ones; asked in the loop it would stop vectorisation.
template <class T, bool Even>
struct BendAs {
  T g;
  T q;

  STEPWISE_VECTOR_BODY Pair<T> operator()(Pair<T> p, T, T, T, T) const {
    const bool turned = Even && p.plus < p.minus;
    const T low = turned ? p.plus : p.minus;
    const T high = turned ? p.minus : p.plus;
    const auto there = angle(low, high);
    const T slope = g - q * there.th;
    return {std::max(g * low - 2 * q * there.segment, T(0)), g * high + 2 * q * there.segment, g * p.gap,
            turned ? -slope : slope};
  }
};
template <class T>
using Bend = BendAs<T, false>;
template <class T>
using EvenBend = BendAs<T, true>;

/// For odd functions T(a, b, -c) = -T(a, b, c): `map` sees pairs with c >= 0 only.
template <class T, class Map>
STEPWISE_VECTOR_BODY Pair<T> odd(Pair<T> p, const Map& map) {
  const bool turned = p.plus < p.minus;
  const Pair<T> q = map(Pair<T>{turned ? p.plus : p.minus, turned ? p.minus : p.plus, p.gap, T(1)});
  return {turned ? q.plus : q.minus, turned ? q.minus : q.plus, q.gap, q.ntk};
}

/// T = (2/pi) asin k, k = 2c / sqrt((1+2a)(1+2b)). With sin A, sin B and sin C standing for k(a,a), k(b,b) and k(a,b),
/// M = (A + B) / 2 and delta = (A - B) / 2: sin(M - C) sin(M + C) = sin^2 delta + minus plus / ((1+2a)(1+2b)).
template <class T>
struct ErrorFunctionMap {
  STEPWISE_VECTOR_BODY Pair<T> operator()(Pair<T> whole, T r, T s, T r_after, T s_after) const {
    return odd(whole, [&](Pair<T> p) STEPWISE_VECTOR_LAMBDA {
      const T a = r * r;
      const T b = s * s;
      const T scale = 1 / ((1 + 2 * a) * (1 + 2 * b));
      const T root_a = std::sqrt(1 + 4 * a);
      const T root_b = std::sqrt(1 + 4 * b);
      const T sin_difference = 4 * p.gap * (a + b + 4 * a * b) * scale / (2 * a * root_b + 2 * b * root_a + tiny<T>);
      const T delta = T(0.5) * std::asin(std::min(std::max(sin_difference, T(-1)), T(1)));
      const T sin_delta = std::sin(delta);
      const T half = T(0.5) / std::sqrt(1 - sin_delta * sin_delta);
      const T sin_m = half * (2 * a / (1 + 2 * a) + 2 * b / (1 + 2 * b));
      const T cos_m = half * (root_a / (1 + 2 * a) + root_b / (1 + 2 * b));
      const T determinant = 1 + 2 * a + 2 * b + p.minus * p.plus;  // (1+2a)(1+2b) - 4 c^2
      const T sin_c = T(0.5) * (p.plus - p.minus) * std::sqrt(scale);
      const T cos_c = std::sqrt(determinant * scale);
      const T sum = sin_m * cos_c + cos_m * sin_c;
      const T product = sin_delta * sin_delta + p.minus * p.plus * scale;
      const T distance = 4 / pi<T> * std::asin(std::min(product / (sum + tiny<T>), T(1)));
      return from_distance(distance, 4 / pi<T> * delta, r_after, s_after, 4 / pi<T> / std::sqrt(determinant));
    });
  }
};

/// T = (exp(-|u-v|^2/2) - exp(-|u+v|^2/2)) / 2.
template <class T>
struct SineMap {
  STEPWISE_VECTOR_BODY Pair<T> operator()(Pair<T> whole, T r, T s, T r_after, T s_after) const {
    return odd(whole, [&](Pair<T> p) STEPWISE_VECTOR_LAMBDA {
      const T a = r * r;
      const T b = s * s;
      const T radial = square(p.gap / (r + s + tiny<T>));
      const T distance = p.minus + radial;
      const T near = std::exp(T(-0.5) * distance);
      const T far = std::exp(T(-0.5) * (p.plus + radial));
      const T small = std::min(distance, T(1));  // the first form is for these
      const T arc = std::sinh(T(0.5) * std::min(std::max(p.gap, T(-20)), T(20)));
      const T close = -std::expm1(T(-0.5) * small) + std::exp(-(a + b)) * (std::expm1(T(0.5) * small) - 2 * arc * arc);
      const T apart = 1 - T(0.5) * (std::exp(-2 * a) + std::exp(-2 * b)) - near + far;
      const T gap = std::copysign(T(-0.5) * std::exp(-2 * std::min(a, b)) * std::expm1(-2 * std::abs(p.gap)), p.gap);
      return from_distance(distance < 1 ? close : apart, gap, r_after, s_after, T(0.5) * (near + far));
    });
  }
};

/// T = exp(-gamma |u - v|^2).
template <class T>
struct RbfMap {
  T gamma;
  STEPWISE_VECTOR_BODY Pair<T> operator()(Pair<T> p, T r, T s, T, T) const {
    const T exponent = -gamma * (p.minus + square(p.gap / (r + s + tiny<T>)));
    const T distance = -2 * std::expm1(exponent);
    return {distance, 4 - distance, 0, 2 * gamma * std::exp(exponent)};
  }
};

/// T = 1 - 2 th / pi.
template <class T>
struct SignMap {
  STEPWISE_VECTOR_BODY Pair<T> operator()(Pair<T> whole, T, T, T r_after, T s_after) const {
    const T product = r_after * s_after;  // 0 where a signal is
    const T gap = r_after - s_after;
    return odd(whole, [&](Pair<T> p) STEPWISE_VECTOR_LAMBDA {
      const T distance = 4 / pi<T> * angle(p.minus, p.plus).th;
      return Pair<T>{product * distance, product * (4 - distance), gap, T(0)};
    });
  }
};

/// T = 1 - th / pi.
template <class T>
struct StepMap {
  STEPWISE_VECTOR_BODY Pair<T> operator()(Pair<T> p, T, T, T r_after, T s_after) const {
    const T product = r_after * s_after;
    const T distance = 2 / pi<T> * angle(p.minus, p.plus).th;
    return {product * distance, product * (4 - distance), r_after - s_after, T(0)};
  }
};

/// T = a b (3 sin cos + (pi - th)(1 + 2 cos^2)) / pi.
template <class T>
struct SquareMap {
  STEPWISE_VECTOR_BODY Pair<T> operator()(Pair<T> p, T r, T s, T, T) const {
    const T product = r * s;
    const auto [sine, cosine, th, segment] = angle(p.minus, p.plus);
    const T scale = 1 / (product + tiny<T>);
    const T sin = sine * scale;
    const T cos = cosine * scale;
    const T th2 = th * th;
    // th - sin th cos th
    const T series = 2 * th * th2 / 3 * (1 - th2 / 5 * (1 - 2 * th2 / 21 * (1 - th2 / 18 * (1 - 2 * th2 / 55))));
    const T difference = th2 < T(0.09) ? series : th - sin * cos;
    const T distance = 2 * square(product) / pi<T> * (2 * (pi<T> - th) * sin * sin + 3 * difference);
    const T first = product / (2 * pi<T>)*(sin + (pi<T> - th) * cos);
    return {distance, 12 * square(product) - distance, 3 * p.gap * (r * r + s * s), 8 * first};
  }
};

/// T = c (1/4 + asin(k)/(2 pi)) + J (a b + c^2 (1/(1+a) + 1/(1+b) - 1)), k = c / sqrt((1+a)(1+b)),
/// J = 1 / (2 pi sqrt(D)), D = (1+a)(1+b) - c^2. Its derivative by c is E[phi'(u) phi'(v)].
template <class T>
STEPWISE_VECTOR_BODY T gelu_slope(T a, T b, T c, T determinant) {
  const T root = std::sqrt(determinant);
  const T density = 1 / (2 * pi<T> * root);
  return T(0.25) + std::atan2(c, root) / (2 * pi<T>)+c * density * (1 / (1 + a) + 1 / (1 + b) + 1 / determinant);
}

template <class T>
struct GeluMap {
  STEPWISE_VECTOR_BODY Pair<T> operator()(Pair<T> p, T r, T s, T r_after, T s_after) const {
    const T a = r * r;
    const T b = s * s;
    const T c = T(0.25) * (p.plus - p.minus);
    const T determinant = 1 + a + b + T(0.25) * p.minus * p.plus;
    const T root = std::sqrt(determinant);
    const T value = c * (T(0.25) + std::atan2(c, root) / (2 * pi<T>)) +
                    (a * b + c * c * (1 / (1 + a) + 1 / (1 + b) - 1)) / (2 * pi<T> * root);
    const T after = r_after * s_after;
    return {std::max(2 * (after - value), T(0)), std::max(2 * (after + value), T(0)),
            (r_after - s_after) * (r_after + s_after), gelu_slope(a, b, c, determinant)};
  }
};

template <class T, class Map>
STEPWISE_VECTOR_BODY void map_column(const Map& map, std::int64_t count, const PairLengths<T>& lengths,
                                     PairColumn<T>& pairs) {
  const T* __restrict r = lengths.r;
  const T* __restrict s = lengths.s;
  const T* __restrict r_after = lengths.r_after;
  const T* __restrict s_after = lengths.s_after;
  T* __restrict minus = pairs.minus;
  T* __restrict plus = pairs.plus;
  T* __restrict gap = pairs.gap;
  T* __restrict ntk = pairs.ntk;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const Pair<T> p = map(Pair<T>{minus[i], plus[i], gap[i], T(1)}, r[i], s[i], r_after[i], s_after[i]);
    minus[i] = p.minus;
    plus[i] = p.plus;
    gap[i] = p.gap;
    ntk[i] *= p.ntk;
  }
}

#define STEPWISE_COLUMN_FUNCTION(NAME, MAP)                                                                    \
  STEPWISE_VECTOR_CLONES void NAME(const MAP<double>& map, std::int64_t n, const PairLengths<double>& lengths, \
                                   PairColumn<double>& pairs) {                                                \
    map_column(map, n, lengths, pairs);                                                                        \
  }                                                                                                            \
  STEPWISE_VECTOR_CLONES void NAME(const MAP<float>& map, std::int64_t n, const PairLengths<float>& lengths,   \
                                   PairColumn<float>& pairs) {                                                 \
    map_column(map, n, lengths, pairs);                                                                        \
  }

STEPWISE_COLUMN_FUNCTION(bend_column, Bend)
STEPWISE_COLUMN_FUNCTION(even_bend_column, EvenBend)
STEPWISE_COLUMN_FUNCTION(error_function_column, ErrorFunctionMap)
STEPWISE_COLUMN_FUNCTION(sine_column, SineMap)
STEPWISE_COLUMN_FUNCTION(rbf_column, RbfMap)
STEPWISE_COLUMN_FUNCTION(sign_column, SignMap)
STEPWISE_COLUMN_FUNCTION(step_column, StepMap)
STEPWISE_COLUMN_FUNCTION(square_column, SquareMap)
STEPWISE_COLUMN_FUNCTION(gelu_column, GeluMap)
#undef STEPWISE_COLUMN_FUNCTION

template <class T>
struct Activate {
  std::int64_t count;
  const PairLengths<T>& lengths;
  PairColumn<T>& pairs;

  void operator()(const Rectifier& f) const {
    const double jump = 1 - f.negative_slope;
    const auto g = static_cast<T>(f.gain());
    const auto q = static_cast<T>(jump * jump / (2 * pi<double>));
    if (f.negative_slope == -1) return even_bend_column(EvenBend<T>{g, q}, count, lengths, pairs);
    bend_column(Bend<T>{g, q}, count, lengths, pairs);
  }
  void operator()(const ErrorFunction&) const { error_function_column(ErrorFunctionMap<T>{}, count, lengths, pairs); }
  void operator()(const Gelu&) const;
  void operator()(const Sine&) const { sine_column(SineMap<T>{}, count, lengths, pairs); }
  void operator()(const RbfActivation& f) const {
    rbf_column(RbfMap<T>{static_cast<T>(f.gamma)}, count, lengths, pairs);
  }
  void operator()(const Sign&) const { sign_column(SignMap<T>{}, count, lengths, pairs); }
  void operator()(const ArcCosine& f) const {
    if (f.order == 0) return step_column(StepMap<T>{}, count, lengths, pairs);
    if (f.order == 1) return bend_column(Bend<T>{1, 1 / pi<T>}, count, lengths, pairs);
    square_column(SquareMap<T>{}, count, lengths, pairs);
  }
  void operator()(const ScalarActivation&) const {}
};

// GELU has no form without differences. Where the features come close, their distance is that of the collinear signals
// of the same lengths, E(phi(r z) - phi(s z))^2, plus twice the integral of the slope from c to r s.

/// E[z^2 phi'(t z) phi'(w z)] for z from N(0, 1).
double gelu_collinear(double t, double w) {
  const double p = 1 + t * t;
  const double q = 1 + w * w;
  const double all = 1 + t * t + w * w;
  const double density = 1 / (2 * pi<double> * std::sqrt(all));  // E[N(tz) N(wz)] of the density N
  // E[z N(tz) Phi(wz)] and E[z^3 N(tz) Phi(wz)]
  const double first_t = w * density / p;
  const double first_w = t * density / q;
  const double third_t = (2 * first_t + w * density / all) / p;
  const double third_w = (2 * first_w + t * density / all) / q;
  const double both = 0.25 + std::atan2(t * w, std::sqrt(all)) / (2 * pi<double>);  // E[Phi(tz) Phi(wz)]
  const double phi_phi = both + t * first_t + w * first_w;                          // E[z^2 Phi(tz) Phi(wz)]
  return phi_phi + t * third_t + w * third_w + 3 * t * w * density / (all * all);
}

constexpr int nodes = 6;
constexpr double node[nodes] = {0.033765242898423986, 0.16939530676686774, 0.38069040695840155,
                                0.61930959304159845,  0.83060469323313226, 0.96623475710157601};
constexpr double node_weight[nodes] = {0.085662246189585173, 0.18038078652406930, 0.23395696728634552,
                                       0.23395696728634552,  0.18038078652406930, 0.085662246189585173};

struct CloseGelu {
  double distance = 0;
  double gap = 0;
};

CloseGelu close_gelu(double minus, double gap, double r, double s) {
  const double a = r * r;
  const double b = s * s;
  const double difference = gap / (r + s);
  double collinear = 0;
  double radial = 0;  // (E phi(rz)^2 - E phi(sz)^2) / (r - s)
  for (int i = 0; i < nodes; ++i) {
    const double t = s + difference * node[i];
    for (int j = 0; j < i; ++j) {
      collinear += 2 * node_weight[i] * node_weight[j] * gelu_collinear(t, s + difference * node[j]);
    }
    collinear += node_weight[i] * node_weight[i] * gelu_collinear(t, t);
    // d/dt E phi(tz)^2 = 2 t dT/da on the diagonal, from the closed form of second_moment
    const double v = t * t;
    const double root = std::sqrt(1 + 2 * v);
    const double slope = 0.25 + std::asin(v / (1 + v)) / (2 * pi<double>)+v / (2 * pi<double> * (1 + v) * root) +
                         v / (pi<double> * root * (1 + v)) * (2 - v / (1 + v) - v / (1 + 2 * v));
    radial += node_weight[i] * 2 * t * slope;
  }
  double integral = 0;
  for (int i = 0; i < nodes; ++i) {
    const double less = 0.5 * minus * node[i];  // r s - c
    const double c = r * s - less;
    integral += node_weight[i] * gelu_slope(a, b, c, 1 + a + b + less * (r * s + c));
  }
  return {difference * difference * collinear + minus * integral, difference * radial};
}

template <class T>
void Activate<T>::operator()(const Gelu&) const {
  constexpr double close = 0.05;
  T minus[column_chunk];
  T gap[column_chunk];
  std::copy_n(pairs.minus, count, minus);
  std::copy_n(pairs.gap, count, gap);
  gelu_column(GeluMap<T>{}, count, lengths, pairs);
  for (std::int64_t i = 0; i < count; ++i) {
    const double r = lengths.r[i];
    const double s = lengths.s[i];
    if (r * s == 0 || minus[i] + square(r - s) > close * std::min(r * s, 2.0)) continue;
    const CloseGelu exact = close_gelu(minus[i], gap[i], r, s);
    const Pair<double> p = from_distance<double>(exact.distance, exact.gap, lengths.r_after[i], lengths.s_after[i], 1);
    pairs.minus[i] = static_cast<T>(p.minus);
    pairs.plus[i] = static_cast<T>(p.plus);
    pairs.gap[i] = static_cast<T>(p.gap);
  }
}

}  // namespace

void activate(const Activation& activation, std::int64_t count, const PairLengths<double>& lengths,
              PairColumn<double>& pairs) {
  std::visit(Activate<double>{count, lengths, pairs}, activation);
}

void activate(const Activation& activation, std::int64_t count, const PairLengths<float>& lengths,
              PairColumn<float>& pairs) {
  std::visit(Activate<float>{count, lengths, pairs}, activation);
}

}  // namespace stepwise
