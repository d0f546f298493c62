#include "stepwise/sim/flow.hpp"

#include <algorithm>
#include <boost/numeric/odeint/stepper/controlled_runge_kutta.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta_fehlberg78.hpp>
#include <cmath>
#include <limits>

#include "sim/watch.hpp"

namespace stepwise {
namespace {

namespace odeint = boost::numeric::odeint;

using State = std::vector<double>;
// Order 8 with an error of order 7: at tolerance 1e-10 it needs two thirds of the velocities of Dormand and Prince's
// pair of orders 5 and 4 (docs/performance.md).
using Stepper = odeint::runge_kutta_fehlberg78<State>;

double largest(const State& x) {
  double most = 0;
  for (const double value : x) most = std::isnan(value) ? value : std::max(most, std::abs(value));
  return most;
}

/// The same on all ranks; infinite where one has NaN.
double largest(const Communicator& comm, const State& x) {
  const double most = largest(x);
  return max(comm, std::isnan(most) ? std::numeric_limits<double>::infinity() : most);
}

/// The local error of a step over what is tolerated, the same on all ranks.
class AgreedError {
 public:
  AgreedError(const Communicator& comm, double tolerance) : comm_(&comm), tolerance_(tolerance) {}
  template <class Algebra>
  double error(Algebra&, const State& x, const State& v, const State& error, double step) const {
    const double scale = largest(*comm_, x) + step * largest(*comm_, v);
    const double most = largest(*comm_, error);
    constexpr double hopeless = 1e10;
    if (most == 0) return 0;
    const double relative = most / (tolerance_ * scale);
    return std::isfinite(relative) ? relative : hopeless;
  }

 private:
  const Communicator* comm_;
  double tolerance_;
};

using Controlled = odeint::controlled_runge_kutta<Stepper, AgreedError>;

}  // namespace

Outcome flow(const Dynamics& dynamics, double tolerance, double until, Training& training, std::int64_t max_steps) {
  const std::int64_t d = dynamics.outputs;
  double loss = 0;
  const auto velocity = [&](const State& x, State& v, double) {
    v.resize(x.size());
    loss = dynamics.velocity({x.data(), d, dynamics.columns, d}, {v.data(), d, dynamics.columns, d});
  };
  Controlled stepper{AgreedError(*dynamics.comm, tolerance)};
  State v(training.x.size());
  velocity(training.x, v, training.time);
  Outcome outcome = watch(training, loss);
  if (training.step_size == 0) {
    const double length = largest(*dynamics.comm, training.x);
    const double speed = largest(*dynamics.comm, v);
    training.step_size = length > 0 && speed > 0 ? 0.01 * length / speed : 1e-6 * (until - training.time);
  }
  State x(training.x.size());
  for (std::int64_t step = 0; step < max_steps && training.time < until && !outcome.diverged;) {
    const double left = until - training.time;
    const bool last = training.step_size >= left;
    double size = last ? left : training.step_size;
    double time = training.time;
    const auto result = stepper.try_step(velocity, training.x, v, time, x, size);
    if (result == odeint::fail) {
      training.step_size = size;
      // No step is small enough: velocities are not numbers all around.
      if (training.time + size == training.time) return {outcome.loss, true};
      continue;
    }
    std::swap(training.x, x);
    velocity(training.x, v, time);
    outcome = watch(training, loss);
    training.time = last ? until : time;
    training.step_size = last ? std::max(training.step_size, size) : size;
    ++training.steps;
    ++step;
  }
  return outcome;
}

}  // namespace stepwise
