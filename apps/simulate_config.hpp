#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "solve_config.hpp"
#include "width_plan.hpp"

namespace stepwise {

/// Every setting of `stepwise simulate`, as the user gives it; nullopt stands for "auto".
struct SimulateConfig {
  std::string preset = "none";
  std::string model = "kernel";
  SolveConfig problem;  ///< data, views, kernel and how its modes are found, as `stepwise solve` has them
  struct {
    std::string method = "flow";
    std::optional<double> rate;
    std::optional<std::int64_t> steps;
    std::optional<double> time;
    double tolerance = 1e-10;
    std::string loss = "plain";
    double epsilon = 0.1;
    double damping = 0.1;
    std::string start;
  } training;
  struct {
    double momentum = 0;
    double weight_decay = 0;
    bool lars = false;
    double trust = 1e-3;
    std::int64_t batch = 0;
    std::optional<std::int64_t> width_ranks;
    double off_diagonal = 5e-3;
    double temperature = 0.5;
    std::string vicreg = "25, 25, 1";
  } network;  ///< of --model network alone
  struct {
    std::int64_t points = 500;
    std::string spacing = "log";
    std::int64_t embeddings = 5;
  } record;
  WidthSettings study;
  std::string gammas = "0.5, 0.25, 0.125, 0.0625, 0.03125";
};

/// The options bound to `config`, which must outlive them. --preset and --model change the defaults of others: setting
/// them sets whatever has not been given by then, and is overridden by what is given later.
[[nodiscard]] std::vector<Option> simulate_options(SimulateConfig& config);

/// Checks what one option alone cannot know, without touching any file. @throws Error(input).
void check_consistency(const SimulateConfig& config);

/// The losses that --training.loss names, in order.
[[nodiscard]] std::vector<std::string> loss_names(const SimulateConfig& config);

/// The numbers of --system.gammas. @throws Error(input) unless they are positive and descending.
[[nodiscard]] std::vector<double> system_gammas(const SimulateConfig& config);

}  // namespace stepwise
