#include "stepwise/kernel/network_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <sstream>

#include "stepwise/core/error.hpp"

namespace stepwise {
namespace {

constexpr const char* known_activations =
    "relu, leaky-relu SLOPE, abs, erf, gelu, sin, rbf GAMMA, sign, arccos ORDER, tanh, sigmoid, softplus, silu";

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

template <class Number>
std::optional<Number> number(const std::string& text) {
  Number result{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return result;
}

/// One element of the list, taken apart word by word.
class Element {
 public:
  Element(std::string text, std::size_t place) : text_(std::move(text)), place_(place), words_(words_of(text_)) {
    if (words_.empty()) refuse("is empty: two commas in a row?");
  }

  [[noreturn]] void refuse(const std::string& why) const {
    const std::string where = place_ == 0 ? "" : fmt::format("element {} of the network, ", place_);
    fail(ExitCode::input, "{}'{}': {}", where, text_, why);
  }

  [[nodiscard]] const std::string& name() const { return words_.front(); }

  /// The number after the name.
  template <class Number>
  [[nodiscard]] std::optional<Number> argument() {
    if (words_.size() < 2) return std::nullopt;
    const auto value = number<Number>(words_[1]);
    if (value) words_.erase(words_.begin() + 1);
    return value;
  }
  template <class Number>
  [[nodiscard]] Number argument(const char* what) {
    const auto value = argument<Number>();
    if (!value) refuse(fmt::format("needs {} after its name", what));
    return *value;
  }
  [[nodiscard]] bool flag(const std::string& word) {
    const auto found = std::find(words_.begin() + 1, words_.end(), word);
    if (found == words_.end()) return false;
    words_.erase(found);
    return true;
  }
  /// The value of key=.
  [[nodiscard]] std::optional<double> setting(const std::string& key) {
    const auto found = std::find_if(words_.begin() + 1, words_.end(),
                                    [&](const std::string& word) { return word.starts_with(key + "="); });
    if (found == words_.end()) return std::nullopt;
    const auto value = number<double>(found->substr(key.size() + 1));
    if (!value) refuse(fmt::format("'{}' is not a number", *found));
    words_.erase(found);
    return value;
  }
  /// Nothing may be left over.
  void finish() const {
    if (words_.size() > 1) refuse(fmt::format("'{}' is not understood here", words_[1]));
  }

 private:
  std::string text_;
  std::size_t place_;
  std::vector<std::string> words_;
};

std::optional<Activation> activation_of(Element& element) {
  const std::string& name = element.name();
  if (name == "relu") return Rectifier{};
  if (name == "leaky-relu") return Rectifier{element.argument<double>().value_or(0.01)};
  if (name == "abs") return Rectifier{-1};
  if (name == "erf") return ErrorFunction{};
  if (name == "gelu") return Gelu{};
  if (name == "sin") return Sine{};
  if (name == "rbf") return RbfActivation{element.argument<double>().value_or(1)};
  if (name == "sign") return Sign{};
  if (name == "arccos") return ArcCosine{element.argument<int>("the order 0, 1 or 2")};
  try {
    return scalar_activation(name);
  } catch (const Error&) {
    return std::nullopt;
  }
}

AffineLayer affine_of(Element& element, AffineLayer layer) {
  layer.weight_variance = element.setting("w").value_or(layer.weight_variance);
  layer.bias_variance = element.setting("b").value_or(layer.bias_variance);
  if (element.flag("frozen")) layer.tangent = TangentWeights{};
  return layer;
}

Layer layer_of(Element& element, const NetworkDefaults& defaults, bool last) {
  const std::string& name = element.name();
  if (name == "dense") return affine_of(element, last ? defaults.readout : defaults.hidden);
  if (name == "conv") {
    ConvLayer layer{element.argument<std::int64_t>("its size, a whole number,"), affine_of(element, defaults.hidden)};
    if (element.flag("circular")) layer.padding = Padding::circular;
    return layer;
  }
  if (name == "avgpool") return AveragePool{element.argument<std::int64_t>("its size, a whole number,")};
  if (name == "flatten") return Flatten{};
  if (name == "gap") return GlobalAverage{};
  if (auto activation = activation_of(element)) return *activation;
  element.refuse(
      fmt::format("there is no such layer; known are dense, conv SIZE [circular], avgpool SIZE, flatten, gap "
                  "and the activations {}; alone: fc-L, cnn-L, cnn-gap-L, myrtle5, myrtle7, myrtle10",
                  known_activations));
}

std::vector<std::string> repeat(const std::string& element, std::int64_t times) {
  std::vector<std::string> list;
  for (std::int64_t i = 0; i < times; ++i) {
    list.push_back(element);
    list.emplace_back("activation");
  }
  return list;
}

void append(std::vector<std::string>& list, const std::vector<std::string>& more) {
  list.insert(list.end(), more.begin(), more.end());
}

/// The elements that a preset's name stands for, "activation" in place of activations.
std::optional<std::vector<std::string>> preset(const std::string& name) {
  const auto counted = [&](const std::string& prefix) -> std::optional<std::int64_t> {
    if (!name.starts_with(prefix)) return std::nullopt;
    const auto count = number<std::int64_t>(name.substr(prefix.size()));
    if (count && (*count < 0 || *count > 10'000)) {
      fail(ExitCode::input, "network {}: the number of layers must be from 0 to 10000", name);
    }
    return count;
  };
  if (const auto count = counted("fc-")) {
    auto list = repeat("dense", *count);
    append(list, {"dense"});
    return list;
  }
  for (const auto& [prefix, readout] : {std::pair("cnn-gap-", "gap"), std::pair("cnn-", "flatten")}) {
    if (const auto count = counted(prefix)) {
      auto list = repeat("conv 3", *count);
      append(list, {readout, "dense"});
      return list;
    }
  }
  struct Myrtle {
    const char* name;
    std::array<std::int64_t, 3> groups;
  };
  for (const Myrtle& myrtle :
       {Myrtle{"myrtle5", {2, 1, 1}}, Myrtle{"myrtle7", {2, 2, 2}}, Myrtle{"myrtle10", {3, 3, 3}}}) {
    if (name != myrtle.name) continue;
    auto list = repeat("conv 3", myrtle.groups[0]);
    for (const std::size_t group : {1U, 2U}) {
      append(list, {"avgpool 2"});
      append(list, repeat("conv 3", myrtle.groups[group]));
    }
    append(list, {"gap", "dense"});
    return list;
  }
  return std::nullopt;
}

/// The elements between commas, without the blanks around them.
std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> elements;
  const auto add = [&](const std::string& element) {
    const auto first = element.find_first_not_of(" \t");
    const auto last = element.find_last_not_of(" \t");
    elements.push_back(first == std::string::npos ? "" : element.substr(first, last - first + 1));
  };
  std::size_t begin = 0;
  for (std::size_t comma = text.find(','); comma != std::string::npos; comma = text.find(',', begin)) {
    add(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
  add(text.substr(begin));
  return elements;
}

}  // namespace

Activation parse_activation(const std::string& text) {
  Element element(text, 0);
  const auto activation = activation_of(element);
  if (!activation) element.refuse(fmt::format("there is no such activation; known are {}", known_activations));
  element.finish();
  validate(*activation);
  return *activation;
}

std::vector<Layer> parse_layers(const std::string& text, const NetworkDefaults& defaults) {
  const auto words = words_of(text);
  std::vector<std::string> elements = split(text);
  if (words.size() == 1) elements = preset(words.front()).value_or(elements);
  std::vector<Layer> layers;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (elements[i] == "activation") {
      layers.emplace_back(defaults.activation);
      continue;
    }
    Element element(elements[i], i + 1);
    layers.push_back(layer_of(element, defaults, i + 1 == elements.size()));
    element.finish();
  }
  return layers;
}

}  // namespace stepwise
