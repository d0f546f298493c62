#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stepwise {

/// The kernels that have names.
inline constexpr std::array<const char*, 8> kernel_names{"linear", "polynomial", "rbf",           "laplace",
                                                         "nngp",   "ntk",        "empirical-ntk", "precomputed"};

/// Those of a network that --kernel.network describes.
[[nodiscard]] constexpr bool is_network_name(std::string_view name) {
  return name == "nngp" || name == "ntk" || name == "empirical-ntk";
}

// A formula of kernels: a sum of products of names and numbers, 0.7*ntk + 0.3*rbf*linear. A name may be followed by
// settings of its own, ntk(depth=5, bias-variance=0.1).

struct KernelSetting {
  std::string name;
  std::string value;
  std::size_t position = 0;  ///< of its first character in the formula, from 1
};

struct NamedKernel {
  std::string name;
  std::vector<KernelSetting> settings;
};

struct FormulaTerm {
  double weight = 1;
  std::vector<NamedKernel> factors;
};

/// @throws Error(input) in words that go on after "--kernel.type is '...', ", with the position: an unknown name, a
/// dangling operator, a minus sign, parentheses that do not close, a setting without name or value or given twice, no
/// kernel at all.
[[nodiscard]] std::vector<FormulaTerm> parse_formula(std::string_view text);

}  // namespace stepwise
