#include "training_kernel.hpp"

#include <functional>

#include "stepwise/dist/agree.hpp"
#include "stepwise/theory/centring.hpp"

namespace stepwise {

TrainingKernel::TrainingKernel(const Problem& problem, Report& report) : problem_(problem) {
  const std::string& storage = problem.config.kernel.storage;
  const auto samples = static_cast<double>(problem.samples);
  own_ = report.stage("samples to train on", 0, [&](const auto&) { return load_share(problem); });
  if (storage != "single") {
    exact_ = std::make_unique<KernelProduct<double>>(problem.kernel, own_, problem.comm, problem.samples,
                                                     problem.pairing.views);
  } else {
    single_ = attempt(problem.comm, [&] { return to_single(own_); });
    rough_ = std::make_unique<KernelProduct<float>>(problem.kernel, single_, problem.comm, problem.samples,
                                                    problem.pairing.views);
  }
  if (storage == "none") return;
  report.stage("kernel matrix to train on", samples * samples * static_cast<double>(problem.features),
               [&](const Progress& progress) { exact_ ? exact_->store(progress) : rough_->store(progress); });
}

ProductWithK TrainingKernel::product() const {
  const ProductWithK plain = exact_ ? ProductWithK(std::cref(*exact_)) : ProductWithK(std::cref(*rough_));
  if (!problem_.centring) return plain;
  return centred(*problem_.centring, problem_.comm, problem_.samples, problem_.pairing.views, plain);
}

}  // namespace stepwise
