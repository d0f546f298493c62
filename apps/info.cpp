#include "info.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "stepwise/cli/provenance.hpp"
#include "stepwise/core/memory.hpp"
#include "stepwise/data/npy.hpp"
#include "stepwise/dist/agree.hpp"
#include "stepwise/io/contents.hpp"

namespace stepwise {

std::vector<Option> info_options(InfoConfig& c) {
  return {
      positional_option("file", "HDF5 or .npy file to look into; empty: the program and this machine", c.file),
      flag_option("settings", "only the settings that made the file, to be used with --config", c.settings),
  };
}

namespace {

std::string row(const std::string& name, const std::string& text) {
  return fmt::format("  {:<18}{}\n", name, text);
}

/// "1 thread", "1 to 4 threads".
std::string thread_text(const Placement& placement) {
  const auto [least, most] = std::ranges::minmax_element(placement.ranks, {}, &RankPlace::threads);
  const std::string why = placement.user_threads ? "OMP_NUM_THREADS says so" : "chosen by the cores of each node";
  return least->threads == most->threads ? fmt::format("{} per rank, {}", most->threads, why)
                                         : fmt::format("{} to {} per rank, {}", least->threads, most->threads, why);
}

std::string about_program(const Placement& placement) {
  std::string text = version_line() + "\n";
  for (const auto& [name, value] : installation()) text += row(name, value);
  std::set<std::string> hosts;
  for (const RankPlace& place : placement.ranks) hosts.insert(place.host);
  text += row("BLAS library", placement.blas);
  text += row("ranks", fmt::format("{} on {}", placement.ranks.size(), host_list(placement.ranks)));
  text += row("threads", thread_text(placement));
  text += row("cores", binding_text(placement.ranks));
  text += row("process grid", [&] {
    const GridShape shape = nearly_square(static_cast<int>(placement.ranks.size()));
    return fmt::format("{} x {}, unless --solver.grid says otherwise", shape.rows, shape.cols);
  }());
  for (const std::string& warning : placement_warnings(placement, std::nullopt)) text += row("warning", warning);
  return text;
}

std::string value_text(const AttributeValue& value) {
  return std::visit([](const auto& v) { return fmt::format("{}", v); }, value);
}

std::string find(const Attributes& attributes, const std::string& name) {
  const auto found = std::ranges::find(attributes, name, &Attributes::value_type::first);
  return found == attributes.end() ? "" : value_text(found->second);
}

std::string shape_text(const DatasetEntry& entry) {
  if (entry.extents.empty()) return "scalar";
  std::vector<std::string> words;
  for (std::size_t i = 0; i < entry.extents.size(); ++i) {
    const std::string name = i < entry.dimensions.size() ? entry.dimensions[i] : "";
    words.push_back(name.empty() ? fmt::format("{}", entry.extents[i]) : fmt::format("{} {}", name, entry.extents[i]));
  }
  return fmt::format("({})", fmt::join(words, ", "));
}

/// How it was made, then what is in it.
std::string about_hdf5(const std::string& path, const FileContents& contents) {
  const Attributes& attributes = contents.attributes;
  const std::string schema = find(attributes, "schema_name");
  std::string text = fmt::format("{}: {}, {}\n", path,
                                 schema.empty() ? "HDF5, not written by stepwise"
                                                : fmt::format("{} {}", schema, find(attributes, "schema_version")),
                                 format_bytes(static_cast<double>(std::filesystem::file_size(path))));
  for (const auto& [name, value] : attributes) {
    if (name == "configuration" || name == "schema_name" || name == "schema_version") continue;
    text += row(name, value_text(value));
  }
  if (!find(attributes, "configuration").empty()) text += row("configuration", "stepwise info FILE --settings");
  text += "datasets\n";
  for (const DatasetEntry& entry : contents.datasets) {
    text += fmt::format("  {:<39} {:<9}{}{}\n", entry.path, entry.type, shape_text(entry),
                        entry.units.empty() || entry.units == "1" ? "" : fmt::format(" [{}]", entry.units));
    if (!entry.description.empty()) text += fmt::format("      {}\n", entry.description);
  }
  return text;
}

std::string about_file(const InfoConfig& config) {
  std::error_code ignored;
  if (std::filesystem::is_directory(config.file, ignored)) {
    fail(ExitCode::input, "{}: is a directory, not a file", config.file);
  }
  if (config.file.ends_with(".npy")) {
    const NpyHeader header = read_npy_header(config.file);
    return fmt::format("{}: NumPy array of type {}, shape ({}), {} order\n", config.file, header.type,
                       fmt::join(header.shape, ", "), header.fortran_order ? "Fortran" : "C");
  }
  const FileContents contents = read_contents(config.file);
  if (!config.settings) return about_hdf5(config.file, contents);
  const std::string settings = find(contents.attributes, "configuration");
  if (settings.empty()) fail(ExitCode::input, "{}: says nothing about the settings that made it", config.file);
  return settings;
}

}  // namespace

void print_info(const Communicator& comm, const InfoConfig& config, const Report& report) {
  std::string text;
  attempt_on_root(comm, [&] {
    if (config.file.empty() && config.settings) fail(ExitCode::input, "--settings are those of a file: name one");
    text = config.file.empty() ? about_program(report.info().placement) : about_file(config);
  });
  if (comm.rank() == 0) fmt::print("{}", text);
}

}  // namespace stepwise
