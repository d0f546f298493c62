#include "verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "stepwise/dist/agree.hpp"
#include "verify_checks.hpp"

namespace stepwise {

std::vector<Option> verify_options(VerifyConfig& c) {
  constexpr std::int64_t most_samples = std::int64_t{1} << 46;
  return {
      positional_option("file",
                        "result of stepwise solve, or a simulation; of other files of stepwise, schema and checksums",
                        c.file),
      text_option("training-path", "PATH", "its training data, where they are not as its --data.path says",
                  c.training_path),
      auto_option("samples", "N", "training samples for which the kernel is evaluated anew; 0: none", c.samples, 0,
                  most_samples, "all"),
  };
}

void check_consistency(const VerifyConfig& c) {
  if (c.file.empty()) fail(ExitCode::input, "no file: write stepwise verify FILE, a result of stepwise solve");
}

void Checks::section(const std::string& name, const std::function<void()>& work) {
  try {
    work();
  } catch (const CollectiveError& error) {
    if (error.code() != ExitCode::input && error.code() != ExitCode::io && error.code() != ExitCode::numerical) throw;
    add(name, false, error.what());
  }
}

bool Checks::any_failed() const noexcept {
  return std::ranges::any_of(all_, [](const Check& check) { return check.outcome == Check::Outcome::fails; });
}

bool has(const FileContents& contents, const std::string& path) {
  return std::ranges::any_of(contents.datasets, [&](const DatasetEntry& entry) { return entry.path == path; });
}

namespace {

/// Something that was an HDF5 file once: what is no such thing is not the file's fault, but the user's.
bool is_or_was_hdf5(const std::string& path) {
  constexpr std::string_view signature = "\x89HDF\r\n\x1a\n";
  std::error_code ignored;
  std::ifstream in(path, std::ios::binary);
  if (!in || !std::filesystem::is_regular_file(path, ignored)) return false;
  std::string beginning(signature.size(), '\0');
  in.read(beginning.data(), static_cast<std::streamsize>(beginning.size()));
  return in.gcount() == 0 || beginning.substr(0, static_cast<std::size_t>(in.gcount())) ==
                                 signature.substr(0, static_cast<std::size_t>(in.gcount()));
}

/// Nothing where the file cannot be opened, which is a check that fails.
std::optional<FileContents> open_contents(Checks& checks, const Communicator& comm, const std::string& path) {
  std::string problem;
  std::optional<FileContents> contents;
  attempt(comm, [&] {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) fail(ExitCode::input, "{}: is a directory, not a file", path);
    try {
      contents = read_contents(path);
    } catch (const Error& error) {
      if (!is_or_was_hdf5(path)) throw;
      problem = error.what();
    }
  });
  // On one file system all ranks see the same; else the first that sees a problem speaks for all.
  if (max(comm, std::int64_t{problem.empty() ? 0 : 1}) == 0) return contents;
  const std::int64_t speaker = min(comm, std::int64_t{problem.empty() ? comm.size() : comm.rank()});
  checks.add("file", false, broadcast(comm, problem, static_cast<int>(speaker)));
  return std::nullopt;
}

std::string listed(const Checks& checks) {
  std::string text;
  for (const Check& check : checks.all()) {
    const char* word = check.outcome == Check::Outcome::holds   ? "ok"
                       : check.outcome == Check::Outcome::fails ? "FAILS"
                                                                : "skipped";
    text += fmt::format("  {:<9}{:<52}{}\n", word, check.name, check.detail);
  }
  return text;
}

}  // namespace

void verify_result(const Communicator& comm, const VerifyConfig& config, Report& report) {
  Checks checks;
  report.start({"verify " + config.file});
  const std::optional<FileContents> contents = open_contents(checks, comm, config.file);
  if (contents) {
    check_schema(checks, *contents);
    report.stage("checksums", 0, [&](const auto&) {
      checks.section("checksums", [&] { check_checksums(checks, comm, config.file, *contents); });
    });
  }
  if (contents && is_result(*contents)) {
    report.stage("numbers", 0, [&](const auto&) {
      checks.section("numbers", [&] { check_numbers(checks, comm, config.file, *contents); });
    });
    report.stage("inputs", 0, [&](const auto&) {
      checks.section("inputs", [&] { check_inputs(checks, comm, config, *contents); });
    });
  }
  if (contents && is_simulation(*contents)) {
    report.stage("numbers", 0, [&](const auto&) {
      checks.section("numbers", [&] { check_simulation(checks, comm, config.file, *contents); });
    });
  }
  if (comm.rank() == 0) fmt::print("{}", listed(checks));
  std::string failed;
  std::int64_t count = 0;
  for (const Check& check : checks.all()) {
    if (check.outcome != Check::Outcome::fails) continue;
    failed += (count++ > 0 ? ", " : "") + check.name;
  }
  report.result("checks", std::ssize(checks.all()));
  report.result("failed", count);
  if (count == 0) return;
  std::fflush(stdout);
  throw CollectiveError(ExitCode::failed,
                        fmt::format("{}: {} of {} checks fail: {}", config.file, count, checks.all().size(), failed));
}

}  // namespace stepwise
