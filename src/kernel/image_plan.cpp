#include "kernel/image_plan.hpp"

#include <algorithm>

namespace stepwise {
namespace {

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/// The offsets of pooled pixels that pixels at distance d belong to, in one dimension.
std::pair<std::int64_t, std::int64_t> pooled(std::int64_t d, std::int64_t size) {
  return {floor_div(d, size), floor_div(d + size - 1, size)};
}

/// A set of offsets of one stage.
class OffsetSet {
 public:
  OffsetSet(const ImageStage& stage, bool circular)
      : height_(stage.height), width_(stage.width), circular_(circular), used_(count(), false) {}

  void insert(Offset o) { used_[index(o)] = true; }
  [[nodiscard]] bool contains(Offset o) const { return inside(o) && used_[index(o)]; }

  [[nodiscard]] std::vector<Offset> all() const {
    std::vector<Offset> result;
    for (std::int64_t dy = circular_ ? 0 : 1 - height_; dy < height_; ++dy) {
      for (std::int64_t dx = circular_ ? 0 : 1 - width_; dx < width_; ++dx) result.push_back({dy, dx});
    }
    return result;
  }
  [[nodiscard]] std::vector<Offset> members() const {
    std::vector<Offset> result = all();
    std::erase_if(result, [&](Offset o) { return !contains(o); });
    return result;
  }

 private:
  [[nodiscard]] std::size_t count() const { return static_cast<std::size_t>(4 * height_ * width_); }
  [[nodiscard]] bool inside(Offset o) const {
    return circular_ || (std::abs(o.dy) < height_ && std::abs(o.dx) < width_);
  }
  [[nodiscard]] std::size_t index(Offset o) const {
    const std::int64_t y = circular_ ? (o.dy % height_ + height_) % height_ : o.dy + height_;
    const std::int64_t x = circular_ ? (o.dx % width_ + width_) % width_ : o.dx + width_;
    return static_cast<std::size_t>(y * 2 * width_ + x);
  }
  std::int64_t height_;
  std::int64_t width_;
  bool circular_;
  std::vector<bool> used_;
};

}  // namespace

std::int64_t ImageStage::margin() const {
  std::int64_t margin = 0;
  for (const Layer& layer : layers) {
    if (const auto* conv = std::get_if<ConvLayer>(&layer)) margin = std::max(margin, conv->size / 2);
  }
  return margin;
}

ImagePlan plan_images(const Network& network) {
  ImagePlan plan;
  plan.channels = network.input.channels;
  ImageStage stage{network.input.height, network.input.width, {}, 0};
  auto layer = network.layers.begin();
  for (; layer != network.layers.end(); ++layer) {
    if (std::holds_alternative<Flatten>(*layer)) break;
    if (std::holds_alternative<GlobalAverage>(*layer)) {
      plan.global = true;
      break;
    }
    if (const auto* pool = std::get_if<AveragePool>(&*layer)) {
      stage.pool = pool->size;
      plan.stages.push_back(stage);
      stage = {stage.height / pool->size, stage.width / pool->size, {}, 0};
      continue;
    }
    const auto* conv = std::get_if<ConvLayer>(&*layer);
    if (conv != nullptr && conv->size > 1) plan.circular = conv->padding == Padding::circular;
    stage.layers.push_back(*layer);
  }
  plan.stages.push_back(stage);
  plan.head.assign(layer + 1, network.layers.end());
  return plan;
}

std::vector<std::vector<Offset>> needed_offsets(const ImagePlan& plan, std::size_t last, bool all) {
  std::vector<std::vector<Offset>> needed(last + 1);
  const bool pooled_last = plan.stages[last].pool > 0;
  const std::size_t end = pooled_last ? last + 1 : last;
  OffsetSet behind(plan.stages[end], plan.circular);
  if (all) {
    for (const Offset o : behind.all()) behind.insert(o);
  } else {
    behind.insert({0, 0});
  }
  for (std::size_t k = last + 1; k-- > 0;) {
    const ImageStage& stage = plan.stages[k];
    if (stage.pool == 0) {
      needed[k] = behind.members();
      continue;
    }
    OffsetSet here(stage, plan.circular);
    for (const Offset o : here.all()) {
      const auto [y0, y1] = pooled(o.dy, stage.pool);
      const auto [x0, x1] = pooled(o.dx, stage.pool);
      if (behind.contains({y0, x0}) || behind.contains({y0, x1}) || behind.contains({y1, x0}) ||
          behind.contains({y1, x1})) {
        here.insert(o);
      }
    }
    needed[k] = here.members();
    behind = here;
  }
  return needed;
}

}  // namespace stepwise
