#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <vector>

namespace stepwise {

// Kernels made of kernels. They hold their parts by shared pointer, so copies are cheap and share what never changes.

struct BoxedKernel;  // a Kernel, complete in kernel.hpp
/// A kernel inside another one; never null. Made by boxed().
using KernelPart = std::shared_ptr<const BoxedKernel>;

/// k(x, y) / sqrt(k(x, x) k(y, y)), and 0 where k(x, x) or k(y, y) is 0.
struct NormalisedKernel {
  KernelPart of;
};

/// weight times the product of the factors; without factors the constant weight.
struct KernelTerm {
  double weight = 1;
  std::vector<KernelPart> factors;
};

/// The sum of weighted products of kernels; positive semidefinite where no weight is negative (Schur's product
/// theorem).
struct KernelSum {
  std::vector<KernelTerm> terms;
};

/// Samples of two modalities, each with a kernel of its own and zero between them. A sample is [modality, numbers of
/// it, anything]: modality 0 has `features_a` numbers for kernel a, modality 1 `features_b` for b. One part's m is its
/// own.
struct MultimodalKernel {
  KernelPart a;
  KernelPart b;
  std::int64_t features_a = 0;
  std::int64_t features_b = 0;
};

template <class T>
concept CompositeKernel =
    std::same_as<T, NormalisedKernel> || std::same_as<T, KernelSum> || std::same_as<T, MultimodalKernel>;

}  // namespace stepwise
