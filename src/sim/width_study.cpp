#include "stepwise/sim/width_study.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "stepwise/core/error.hpp"
#include "stepwise/core/stop.hpp"
#include "stepwise/kernel/evaluate.hpp"
#include "stepwise/sim/input_span.hpp"
#include "stepwise/sim/linearised.hpp"
#include "stepwise/sim/optimiser.hpp"
#include "stepwise/sim/tangent_kernel.hpp"

namespace stepwise {
namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
constexpr double hopeless = 1000;  // times the loss at the start

double logistic_loss(const Logistic& logistic, MatrixView<const double> f, MatrixView<double> gradient) {
  double loss = 0;
  const auto n = static_cast<double>(f.cols);
  for (std::int64_t s = 0; s < f.cols; ++s) {
    const double y = logistic.sides[static_cast<std::size_t>(s)];
    const double z = y * f(0, s);
    loss += (std::max(-z, 0.0) + std::log1p(std::exp(-std::abs(z)))) / n;
    gradient(0, s) = -y / (1 + std::exp(z)) / n;
  }
  return loss;
}

double mean_square(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum / static_cast<double>(a.size());
}

std::vector<double> zeros(std::size_t count) {
  return std::vector<double>(count);
}

/// The tangent kernel of the same network of infinite width.
std::vector<double> limit_kernel(const FullyConnected& network, MatrixView<const double> x) {
  Network wide = network.layers;
  wide.which = NetworkKernel::ntk;
  auto& readout = std::get<AffineLayer>(wide.layers.back());
  readout.tangent = readout.tangent_weights();
  readout.weight_variance *= network.alpha * network.alpha;
  readout.bias_variance *= network.alpha * network.alpha;
  std::vector<double> columns;
  for (std::int64_t s = 0; s < x.cols; ++s) columns.insert(columns.end(), x.column(s), x.column(s) + x.rows);
  const Samples samples = make_samples(x.rows, std::move(columns));
  check_samples(wide, samples);
  std::vector<double> kernel(static_cast<std::size_t>(x.cols * x.cols));
  const Range all{0, x.cols};
  evaluate(wide, samples, all, samples, all, {kernel.data(), x.cols, x.cols, x.cols});
  return kernel;
}

/// One network in training, or its first-order expansion.
struct Trainee {
  std::function<void(std::vector<double>&)> outputs;  ///< f, d x N
  NetworkTraining& training;
  const TrainedNetwork& differentiated;  ///< the network whose Jacobian is used
};

class WidthTraining {
 public:
  WidthTraining(const WidthRun& run, MatrixView<const double> x, const Pairing& pairing)
      : run_(run), given_(x), x_(x), pairing_(pairing), grid_(make_training_grid(Communicator(MPI_COMM_SELF), 1)) {
    optimiser_.rate = run.rate;
    start_ = draw_perceptron(run.network, grid_.width, run.seed);
    if (x.cols < x.rows) confine_inputs();
    if (run.ratio != 1) scale(start_, run.scaling, run.ratio);
    const auto* logistic = std::get_if<Logistic>(&run.loss);
    if (logistic != nullptr && (start_.outputs() != 1 || std::ssize(logistic->sides) != x.cols)) {
      fail(ExitCode::input, "the logistic loss is of one output and a side of each sample: of {} outputs, {} of {}",
           start_.outputs(), logistic->sides.size(), x.cols);
    }
  }

  WidthResult run() {
    train_network();
    if (run_.linearised && !diverged(run_, result_)) train_expansion();
    return result_;
  }

 private:
  /// All that is measured is the same, and the first layer cheaper.
  void confine_inputs() {
    const InputSpan span = input_span(given_);
    confine(start_, span);
    inside_ = coordinates(span, given_);
    x_ = {inside_.data(), span.dimensions(), given_.cols, span.dimensions()};
  }

  [[nodiscard]] double loss_of(const std::vector<double>& f, std::vector<double>& gradient) const {
    const std::int64_t d = start_.outputs();
    const MatrixView<const double> outputs{f.data(), d, x_.cols, d};
    const MatrixView<double> by_output{gradient.data(), d, x_.cols, d};
    if (const auto* logistic = std::get_if<Logistic>(&run_.loss)) {
      return logistic_loss(*logistic, outputs, by_output);
    }
    return evaluate(std::get<PairLoss>(run_.loss), outputs, pairing_, grid_.data, by_output);
  }

  /// Steps until the end, or until it has diverged; returns how many, and the last loss in `last`.
  std::int64_t descend(const Trainee& trainee, double& last) {
    std::vector<double> f;
    const std::int64_t d = start_.outputs();
    for (std::int64_t step = 0;; ++step) {
      if (stop_requested()) fail(ExitCode::stopped, "stopped while training a network of width {}", run_.network.width);
      trainee.outputs(f);
      for (std::size_t i = 0; i < constant_.size(); ++i) f[i] += constant_[i];
      std::vector<double>& by_output = trainee.training.by_output;
      by_output.resize(f.size());
      last = loss_of(f, by_output);
      if (step == 0 && std::isnan(result_.start_loss)) result_.start_loss = last;
      if (!(last <= hopeless * result_.start_loss) || step == run_.steps) {
        outputs_.swap(f);
        return last <= hopeless * result_.start_loss ? step : std::max<std::int64_t>(step - 1, 0);
      }
      backward(trainee.differentiated, grid_.width, x_, trainee.training.pass, {by_output.data(), d, x_.cols, d},
               trainee.training.gradient);
      take_step(optimiser_, trainee.training.network, trainee.training.gradient, trainee.training.velocity,
                grid_.width);
    }
  }

  void train_network() {
    for (const WidthStatistic& statistic : width_statistics) result_.*statistic.value = unknown;
    NetworkTraining training = begin_network_training(start_, optimiser_);
    const Trainee trainee{[&](std::vector<double>& f) {
                            forward(training.network, grid_.width, x_, training.pass);
                            f = training.pass.outputs;
                          },
                          training, training.network};
    trainee.outputs(first_);
    if (run_.scaling.corrected) {
      const double factor = correction(run_.scaling, run_.ratio);
      for (const double f : first_) constant_.push_back(factor * f);
      for (double& f : first_) f *= 1 + factor;
    }
    const SampleMatrix kernel = tangent_kernel(start_, grid_, x_);
    result_.start_kernel = std::sqrt(mean_square(kernel.rows, zeros(kernel.rows.size())));
    if (run_.scaling.output == -0.5 && run_.scaling.readout_rate == 0 && run_.scaling.hidden_rate == 0) {
      const std::vector<double> limit = limit_kernel(run_.network, given_);
      result_.limit_distance = std::sqrt(mean_square(kernel.rows, limit) / mean_square(limit, zeros(limit.size())));
    }
    result_.start_outputs = std::sqrt(mean_square(first_, zeros(first_.size())));
    result_.steps = static_cast<double>(descend(trainee, result_.loss));
    if (diverged(run_, result_)) {
      result_.loss = unknown;
      return;
    }
    final_ = outputs_;
    result_.output_change = std::sqrt(mean_square(final_, first_));
    result_.kernel_change = relative_change(tangent_kernel(training.network, grid_, x_), kernel, grid_.data);
    result_.feature_change = feature_change(training.network, start_, x_);
    result_.weight_distance = weight_distance(training.network, start_.parameters, grid_.width).total;
    result_.neuron_distance = neuron_distance(training.network);
    measure_outputs();
  }

  void train_expansion() {
    LinearisedTraining training = begin_linearised(start_, optimiser_);
    expand(training, grid_.width, x_);
    const Trainee trainee{[&](std::vector<double>& f) {
                            f.resize(final_.size());
                            linearised_outputs(training, grid_.width, x_, f);
                          },
                          training.moving, training.start};
    double last = 0;
    if (descend(trainee, last) < run_.steps) return;
    result_.linearised_error = std::sqrt(mean_square(final_, outputs_)) / result_.output_change;
  }

  /// Of the weights that lead to a neuron, and those of the readout that come from it, in units of what is trained.
  [[nodiscard]] double neuron_distance(const TrainedNetwork& now) const {
    double largest = 0;
    std::vector<double> read_out;  // squares by neuron of the layer below
    for (std::size_t l = now.layers.size(); l-- > 0;) {
      const TrainedLayer& layer = now.layers[l];
      const std::int64_t neurons = layer.readout ? layer.inputs : layer.outputs;
      std::vector<double> squares(static_cast<std::size_t>(neurons));
      for (std::int64_t i = 0; i < layer.weights.size() && layer.rate > 0; ++i) {
        const auto at = static_cast<std::size_t>(layer.weights.begin + i);
        const double moved = now.parameters[at] - start_.parameters[at];
        squares[static_cast<std::size_t>(layer.readout ? i % layer.rows() : i / layer.rows())] +=
            moved * moved / layer.rate;
      }
      if (layer.readout) {
        read_out = std::move(squares);
        if (l == 0) largest = *std::max_element(read_out.begin(), read_out.end());
        continue;
      }
      for (std::size_t i = 0; i < squares.size(); ++i) {
        largest = std::max(largest, squares[i] + (i < read_out.size() ? read_out[i] : 0));
      }
      read_out.clear();
    }
    return std::sqrt(largest);
  }

  void measure_outputs() {
    double mean = 0;
    for (const double f : final_) mean += f / static_cast<double>(final_.size());
    result_.output_mean = mean;
    result_.output_variance = mean_square(final_, std::vector<double>(final_.size(), mean));
  }

  const WidthRun& run_;
  MatrixView<const double> given_;
  std::vector<double> inside_;  // coordinates in the samples' span
  MatrixView<const double> x_;  // these, or the samples
  const Pairing& pairing_;
  TrainingGrid grid_;
  Optimiser optimiser_;
  TrainedNetwork start_;
  std::vector<double> constant_;  // added to f, with a corrected scaling
  std::vector<double> first_;     // f_0
  std::vector<double> final_;     // f_T
  std::vector<double> outputs_;   // where the last descent ended
  WidthResult result_;
};

}  // namespace

WidthResult train_width(const WidthRun& run, MatrixView<const double> x, const Pairing& pairing) {
  return WidthTraining(run, x, pairing).run();
}

}  // namespace stepwise
