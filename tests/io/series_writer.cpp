// Writes a series as commands on standard input say, for tests that read it meanwhile and kill it:
//   series_writer PATH [COUNT COUNT]     with two counts: goes on with PATH.partial
// Commands: "record", "snapshot", "sync", "finish STATUS", and "limit BYTES" for a disk that is full. Each is answered
// with "ok" and the counts, or the error.
#include <fmt/format.h>
#include <sys/resource.h>

#include <csignal>
#include <iostream>
#include <optional>
#include <sstream>

#include "stepwise/dist/agree.hpp"
#include "stepwise/io/series_file.hpp"

namespace stepwise {
namespace {

constexpr std::int64_t pairs = 600;
constexpr std::int64_t views = 2;
constexpr std::int64_t width = 3;

SeriesLayout layout() {
  SeriesLayout all;
  all.fixed = {{{"/mode", "1", "number of the mode", {}}, {width}, std::vector<std::int64_t>{1, 2, 3}, "mode"}};
  all.series = {
      {"time",
       {{{"/time", "s", "time", {}}, {}},
        {{"/step", "1", "step", {"/time"}}, {}, true},
        {{"/measured/lambda", "1", "eigenvalues", {"/time", "/mode"}}, {width}}}},
      {"snapshot",
       {{{"/snapshot", "s", "time", {}}, {}},
        {{"/measured/embeddings", "1", "embeddings", {"/snapshot", "", "", "/mode"}}, {views, pairs, width}}}}};
  all.attributes = {{"/", {{"schema_name", std::string("test")}}}};
  return all;
}

std::vector<DatasetValues> record(std::int64_t step) {
  const auto t = static_cast<double>(step);
  return {std::vector{t / 10}, std::vector{step}, std::vector{t, t + 0.25, t + 0.5}};
}

/// Number j of view v of pair p: 10000 record + 10 p + 3 v + j / 10.
BlockVector embeddings(const Communicator& comm, std::int64_t record) {
  BlockVector v = make_block_vector(comm, views * pairs, width, views);
  for (std::int64_t s = v.range.begin; s < v.range.end; ++s) {
    for (std::int64_t j = 0; j < width; ++j) {
      v.local()(j, s - v.range.begin) =
          static_cast<double>(10'000 * record + 10 * (s / views) + 3 * (s % views)) + static_cast<double>(j) / 10;
    }
  }
  return v;
}

void obey(const Communicator& comm, SeriesFile& file, const std::string& line) {
  std::istringstream words(line);
  std::string command;
  std::string status;
  words >> command >> status;
  if (command == "record") file.append(0, record(file.counts()[0]));
  if (command == "snapshot") {
    const BlockVector values = embeddings(comm, file.counts()[1]);
    file.append(1, {std::vector{static_cast<double>(file.counts()[1])}, &values});
  }
  if (command == "sync") file.sync();
  if (command == "limit") {
    const rlimit bytes{std::stoul(status), RLIM_INFINITY};
    std::signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &bytes);
  }
  if (command == "finish") {
    file.finish(status, {{"/", {{"steps", file.counts()[0]}}}},
                {{{"/final/loss", "1", "last loss", {}}, {}, std::vector{0.5}, ""}});
  }
}

void serve(const Communicator& comm, int argc, char** argv) {
  const auto answer = [&](const std::string& text) {
    if (comm.rank() == 0) std::cout << text << std::endl;
  };
  try {
    std::optional<SeriesFile> file;
    if (argc > 2) {
      file.emplace(comm, argv[1], false, layout(), std::vector<std::int64_t>{std::stoll(argv[2]), std::stoll(argv[3])});
    } else {
      file.emplace(comm, argv[1], false, layout());
    }
    answer("ok");
    for (std::string line;;) {
      if (comm.rank() == 0 && !std::getline(std::cin, line)) line.clear();
      line = broadcast(comm, line);
      if (line.empty()) return;
      obey(comm, *file, line);
      answer(fmt::format("ok {} {}", file->counts()[0], file->counts()[1]));
    }
  } catch (const CollectiveError& error) {
    answer(fmt::format("error {} {}", static_cast<int>(error.code()), error.what()));
  }
}

}  // namespace
}  // namespace stepwise

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  stepwise::serve(stepwise::Communicator(MPI_COMM_WORLD), argc, argv);
  MPI_Finalize();
  return 0;
}
