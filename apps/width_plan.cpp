#include "width_plan.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "network_config.hpp"
#include "stepwise/core/error.hpp"
#include "stepwise/kernel/network_text.hpp"

namespace stepwise {
namespace {

/// The words of a list, none twice. @throws Error(input).
std::vector<std::string> words_of(const char* option, const std::string& list) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    std::string word = list.substr(begin, end - begin);
    word.erase(0, word.find_first_not_of(' '));
    word.erase(word.find_last_not_of(' ') + 1);
    if (word.empty()) fail(ExitCode::input, "{} '{}' has an empty element", option, list);
    if (std::find(words.begin(), words.end(), word) != words.end()) {
      fail(ExitCode::input, "{} names {} twice", option, word);
    }
    words.push_back(std::move(word));
    begin = end + 1;
  }
  return words;
}

std::vector<std::int64_t> numbers_of(const char* option, const std::string& list, std::int64_t most) {
  std::vector<std::int64_t> numbers;
  for (const std::string& word : words_of(option, list)) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc() || end != word.data() + word.size() || number < 1 || number > most) {
      fail(ExitCode::input, "{} has '{}', must be whole numbers from 1 to {}", option, word, most);
    }
    numbers.push_back(number);
  }
  return numbers;
}

}  // namespace

std::string describe(const WidthVariant& variant) {
  return fmt::format("{}, {} output{}, {}, {}", variant.activation, variant.outputs, variant.outputs == 1 ? "" : "s",
                     variant.loss, variant.scaling);
}

WidthPlan plan_widths(const WidthSettings& settings) {
  std::vector<std::string> losses = network_losses();
  losses.emplace_back("logistic");
  WidthPlan plan;
  plan.widths = numbers_of("--study.widths", settings.widths, 1'000'000);
  if (!std::is_sorted(plan.widths.begin(), plan.widths.end())) {
    fail(ExitCode::input, "--study.widths {} must be ascending", settings.widths);
  }
  plan.seeds = settings.seeds;
  plan.reference = settings.reference;
  for (const std::string& scaling : words_of("--study.scalings", settings.scalings)) {
    static_cast<void>(width_scaling(scaling));
    for (const std::string& activation : words_of("--study.activations", settings.activations)) {
      static_cast<void>(parse_activation(activation));
      for (const std::string& loss : words_of("--study.losses", settings.losses)) {
        if (std::find(losses.begin(), losses.end(), loss) == losses.end()) {
          fail(ExitCode::input, "--study.losses names '{}', must be among {}", loss, fmt::join(losses, ", "));
        }
        for (const std::int64_t outputs : numbers_of("--study.outputs", settings.outputs, 10'000)) {
          if (loss == "logistic" && outputs != 1) {
            fail(ExitCode::input, "--study.outputs has {}, but the logistic loss of --study.losses is of 1 output",
                 outputs);
          }
          plan.variants.push_back({activation, outputs, loss, scaling});
        }
      }
    }
  }
  return plan;
}

WidthRun make_run(const WidthPlan& plan, const WidthTask& task, std::size_t place) {
  const auto seeds = static_cast<std::size_t>(plan.seeds);
  const WidthVariant& variant = plan.variants[place / seeds / plan.widths.size()];
  const std::int64_t width = plan.widths[place / seeds % plan.widths.size()];
  const AffineLayer unit{1, 0};
  return {.network = {fully_connected(NetworkKernel::ntk, {unit, unit}, parse_activation(variant.activation)),
                      task.inputs, width, variant.outputs, task.alpha},
          .seed = static_cast<std::uint64_t>(task.seed) + place % seeds,
          .loss = task.losses.at(variant.loss),
          .rate = task.rate,
          .steps = task.steps,
          .scaling = width_scaling(variant.scaling),
          .ratio = static_cast<double>(width) / static_cast<double>(plan.reference),
          .linearised = task.linearised};
}

std::vector<double> sides_of(const PairSource& pairs) {
  const std::vector<std::int64_t> labels = train_labels(pairs);
  const std::set<std::int64_t> occurring(labels.begin(), labels.end());
  if (occurring.size() < 2) {
    fail(ExitCode::input,
         "the logistic loss of --study.losses tells labels apart, and the data have {}: choose others, or "
         "--study.losses plain",
         occurring.empty() ? "none" : "one only");
  }
  const auto middle = *std::next(occurring.begin(), static_cast<std::ptrdiff_t>(occurring.size() / 2));
  std::vector<double> sides;
  for (const std::int64_t label : labels) {
    sides.insert(sides.end(), static_cast<std::size_t>(view_count(pairs)), label < middle ? -1.0 : 1.0);
  }
  return sides;
}

}  // namespace stepwise
