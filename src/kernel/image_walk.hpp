#pragma once

#include <cstdint>
#include <vector>

#include "kernel/image_column.hpp"
#include "kernel/image_plan.hpp"
#include "stepwise/core/index.hpp"
#include "stepwise/kernel/samples.hpp"

namespace stepwise {

/// lanes<T> images, number by number, lane by lane, and the lengths of their signals: what depends on one image alone.
template <class T>
struct ImageGroup {
  std::vector<T> inputs;                             ///< channels x pixels
  std::vector<std::vector<std::vector<T>>> lengths;  ///< of each stage, before each of its layers and behind the last
  std::vector<double> readout;                       ///< variance of the vector that the readout gives, each lane

  [[nodiscard]] const T* before(std::size_t stage, std::size_t layer) const noexcept {
    return lengths[stage][layer].data();
  }
  [[nodiscard]] const T* behind(std::size_t stage) const noexcept { return lengths[stage].back().data(); }
};

/// The image of one lane in all lanes.
template <class T>
[[nodiscard]] ImageGroup<T> spread(const ImageGroup<T>& group, std::int64_t lane);

/// Takes pairs of images through the layers, lanes<T> pairs at once; owns the memory for that.
template <class T>
class ImageWalk {
 public:
  ImageWalk(const ImagePlan& plan, NetworkKernel which);

  /// Images first, first + 1, ... of x; lanes at `end` and beyond repeat the last.
  [[nodiscard]] ImageGroup<T> prepare(const BasicSamples<T>& x, std::int64_t first, std::int64_t end);

  /// c, |u - v|^2 and the NTK at the readout, 3 x lanes<T>. |u - v|^2 is of use after flatten only.
  void readout(const ImageGroup<T>& x, const ImageGroup<T>& y, T* out);

 private:
  struct Region;
  void run(const ImageGroup<T>& x, const ImageGroup<T>& y, const std::vector<std::vector<Offset>>& offsets, T* sums);
  void load(const ImageGroup<T>& x, const ImageGroup<T>& y, const Region& region) const;
  void convolve(const ConvLayer& layer, const Region& region, const T* r, const T* s);
  void pool(const ImageGroup<T>& x, const ImageGroup<T>& y, const Region& region);
  [[nodiscard]] Region region(std::size_t stage, Offset offset);

  const ImagePlan& plan_;
  bool ntk_;
  std::vector<std::vector<Offset>> readout_offsets_;
  std::vector<std::vector<std::vector<Offset>>> diagonal_offsets_;  ///< for offset 0 behind each pooling
  std::vector<T> distance_;
  std::vector<T> tangent_;
  std::vector<T> scratch_;
  /// Sums over blocks: [P' - P modulo the size][P], lanes<T> numbers each.
  struct Pooled {
    std::vector<T> c;
    std::vector<T> ntk;
  };
  std::vector<Pooled> pooled_;  ///< of each stage but the last
};

extern template class ImageWalk<double>;
extern template class ImageWalk<float>;
extern template ImageGroup<double> spread(const ImageGroup<double>&, std::int64_t);
extern template ImageGroup<float> spread(const ImageGroup<float>&, std::int64_t);

}  // namespace stepwise
