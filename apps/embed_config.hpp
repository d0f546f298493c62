#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stepwise/cli/options.hpp"

namespace stepwise {

/// Every setting of `stepwise embed`.
struct EmbedConfig {
  std::string model;
  std::string training_path;   ///< empty: where the model says
  std::optional<double> time;  ///< nothing: the end of training
  std::string output;
  bool force = false;
  struct {
    std::string source = "hdf5";
    std::string path;
    std::string part = "test";
    std::int64_t first = 0;
    std::optional<std::int64_t> count;
  } data;
};

/// The options bound to `config`, which must outlive them.
[[nodiscard]] std::vector<Option> embed_options(EmbedConfig& config);

/// Checks what one option alone cannot know, without touching any file. @throws Error(input).
void check_consistency(const EmbedConfig& config);

/// The samples are the model's own.
[[nodiscard]] bool embeds_own_samples(const EmbedConfig& config);

}  // namespace stepwise
