#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "verify_checks.hpp"

namespace stepwise {
namespace {

const AttributeValue* attribute(const FileContents& contents, const std::string& name) {
  for (const auto& [key, value] : contents.attributes) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string text(const FileContents& contents, const std::string& name) {
  const AttributeValue* value = attribute(contents, name);
  return value != nullptr && std::holds_alternative<std::string>(*value) ? std::get<std::string>(*value) : "";
}

struct Expected {
  const char* path;
  const char* type;
  std::vector<std::string> dimensions;
  bool with_modes;  ///< of files with modes only
};

/// What every result has (docs/file_format.md).
std::vector<Expected> expected_datasets() {
  return {{"/spectrum/gamma", "float64", {"eigenvalue"}, false},
          {"/diagnostics/noise_floor", "float64", {}, false},
          {"/diagnostics/mean_pair_kernel", "float64", {}, false},
          {"/modes/dual", "float64", {"sample", "mode"}, true},
          {"/embeddings/train", "float64", {"view", "pair", "mode"}, true},
          {"/timescales/tau", "float64", {"mode"}, true},
          {"/timescales/half_rise", "float64", {"mode"}, true},
          {"/timescales/s0", "float64", {"mode"}, true},
          {"/dynamics/lambda", "float64", {"time", "mode"}, true},
          {"/dynamics/loss", "float64", {"time"}, true},
          {"/diagnostics/residual", "float64", {"mode"}, true},
          {"/diagnostics/whiteness_error", "float64", {}, true},
          {"/diagnostics/rkhs_norm_squared", "float64", {}, true}};
}

std::string wrong_with(const FileContents& contents, const Expected& expected) {
  const auto found = std::ranges::find(contents.datasets, std::string(expected.path), &DatasetEntry::path);
  if (found == contents.datasets.end()) return fmt::format("{} is missing", expected.path);
  if (found->type != expected.type) return fmt::format("{} is {}, not {}", found->path, found->type, expected.type);
  if (found->dimensions != expected.dimensions) {
    return fmt::format("{} has the dimensions ({}), not ({})", found->path, fmt::join(found->dimensions, ", "),
                       fmt::join(expected.dimensions, ", "));
  }
  return "";
}

/// What every dataset has.
std::string wrong_with(const DatasetEntry& entry) {
  if (entry.units.empty()) return entry.path + " has no units";
  if (entry.description.empty()) return entry.path + " has no description";
  for (std::size_t i = 0; i < entry.scales.size(); ++i) {
    if (entry.scales[i] == entry.extents[i]) continue;
    return fmt::format("{}: dimension {} is {} long, its scale {}", entry.path, i, entry.extents[i],
                       entry.scales[i] < 0 ? "missing" : fmt::format("{}", entry.scales[i]));
  }
  return "";
}

}  // namespace

bool is_result(const FileContents& contents) {
  return text(contents, "schema_name") == "stepwise-result";
}

bool is_simulation(const FileContents& contents) {
  return text(contents, "schema_name") == "stepwise-simulation";
}

void check_schema(Checks& checks, const FileContents& contents) {
  const std::string schema = text(contents, "schema_name");
  const std::string version = text(contents, "schema_version");
  checks.add("schema", schema.starts_with("stepwise-") && version.starts_with("1."),
             fmt::format("schema_name '{}', schema_version '{}'", schema, version));
  std::vector<std::string> missing;
  for (const char* name :
       {"program_version", "git_commit", "command_line", "configuration", "seed", "ranks", "created"}) {
    if (attribute(contents, name) == nullptr) missing.emplace_back(name);
  }
  for (const char* name : {"solver_method", "kernel_convention"}) {
    if (is_result(contents) && attribute(contents, name) == nullptr) missing.emplace_back(name);
  }
  checks.add("attributes of the file", missing.empty(),
             missing.empty() ? fmt::format("{}", contents.attributes.size())
                             : fmt::format("missing: {}", fmt::join(missing, ", ")));
  std::string problem;
  for (const Expected& expected : expected_datasets()) {
    if (!is_result(contents) || (expected.with_modes && !has(contents, "/mode"))) continue;
    if (problem.empty()) problem = wrong_with(contents, expected);
  }
  for (const DatasetEntry& entry : contents.datasets) {
    if (problem.empty()) problem = wrong_with(entry);
  }
  checks.add("datasets, shapes, units, scales", problem.empty(),
             problem.empty() ? fmt::format("{} datasets", contents.datasets.size()) : problem);
}

void check_checksums(Checks& checks, const Communicator& comm, const std::string& path, const FileContents& contents) {
  std::vector<std::string> changed;
  std::size_t without = 0;
  std::size_t right = 0;
  for (const DatasetEntry& entry : contents.datasets) {
    if (entry.type != "float64" && entry.type != "float32" && entry.type != "int64") continue;
    if (entry.checksum.empty()) {
      ++without;
    } else if (dataset_checksum(comm, path, entry) == entry.checksum) {
      ++right;
    } else {
      changed.push_back(entry.path);
    }
  }
  if (right + changed.size() == 0) {
    return checks.skip("checksums", is_simulation(contents)
                                        ? "files of simulations have none: they are read while they grow"
                                        : "the file has none, as those of schema_version 1.0");
  }
  checks.add("checksums", changed.empty() && (without == 0 || !is_result(contents)),
             changed.empty() ? fmt::format("{} right{}", right, without > 0 ? fmt::format(", {} missing", without) : "")
                             : fmt::format("changed: {}", fmt::join(changed, ", ")));
}

}  // namespace stepwise
