#pragma once

#include <string>
#include <vector>

#include "stepwise/sim/perceptron.hpp"

namespace stepwise {

/// How the hyperparameters of f(x) = sigma sum_r a_r phi(w_r . x / sqrt(m)), a and w from N(0, 1), go with the width M
/// from those of a reference network of width M*, which has NTK parameterisation: sigma = sigma* (M / M*)^output, the
/// rate of a is eta (M / M*)^readout_rate, that of w eta (M / M*)^hidden_rate (Golikov 2020a, 2020b).
struct WidthScaling {
  std::string name;
  double output = -0.5;     ///< q_sigma
  double readout_rate = 0;  ///< q_a
  double hidden_rate = 0;   ///< q_w
  /// A constant is added to f so that it starts as in NTK scaling: f + (sigma_ntk / sigma - 1) f_0.
  bool corrected = false;
};

/// ntk (-1/2, 0, 0), mean-field (-1, 1, 1), default (-1/2, 1, 0), sym-default (-1/2, 1/2, 1/2) and corrected-mean-field
/// (-1, 1, 1), in this order.
[[nodiscard]] const std::vector<WidthScaling>& width_scalings();

/// The scaling of that name. @throws Error(input) with the names that are known.
[[nodiscard]] const WidthScaling& width_scaling(const std::string& name);

/// Scales weights and rates of a network that was drawn in NTK parameterisation, `ratio` = M / M*. Local.
/// @throws Error(input) unless it has one hidden layer and no biases.
void scale(TrainedNetwork& network, const WidthScaling& scaling, double ratio);

/// What f_0 is multiplied by to make the constant that is added to f: ratio^(-1/2 - q_sigma) - 1, 0 if not corrected.
[[nodiscard]] double correction(const WidthScaling& scaling, double ratio);

/// How a wide network starts: f_0 goes as M^outputs, its tangent kernel as M^kernel.
struct InitialExponents {
  double outputs = 0;
  double kernel = 0;
};
[[nodiscard]] InitialExponents initial_exponents(const WidthScaling& scaling);

}  // namespace stepwise
