#pragma once

#include <memory>

#include "problem.hpp"
#include "stepwise/cli/report.hpp"
#include "stepwise/kernel/kernel_product.hpp"

namespace stepwise {

/// Products with the kernel matrix while a model trains: stored in double or single precision, or evaluated anew, in
/// double precision, for each product, as --kernel.storage says.
class TrainingKernel {
 public:
  /// Collective. @throws CollectiveError(memory), (stopped).
  TrainingKernel(const Problem& problem, Report& report);
  TrainingKernel(const TrainingKernel&) = delete;
  TrainingKernel& operator=(const TrainingKernel&) = delete;

  /// With K, or the centred one. Valid as long as this is.
  [[nodiscard]] ProductWithK product() const;
  /// Whether products have the precision of single storage, about 6e-8 of the largest.
  [[nodiscard]] bool rounds_to_single() const noexcept { return rough_ != nullptr; }
  /// This rank's samples.
  [[nodiscard]] const Samples& own() const noexcept { return own_; }

 private:
  const Problem& problem_;
  Samples own_;
  SingleSamples single_;
  std::unique_ptr<KernelProduct<double>> exact_;  // one of the two
  std::unique_ptr<KernelProduct<float>> rough_;   // of single storage
};

}  // namespace stepwise
