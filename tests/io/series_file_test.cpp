#include "stepwise/io/series_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <optional>

#include "io/look.hpp"
#include "io/scratch.hpp"
#include "stepwise/dist/agree.hpp"
#include "support/grids.hpp"

namespace stepwise {
namespace {

namespace fs = std::filesystem;
using test::deal;
using test::distributions;
using test::expect_refusal;
using test::on_root;
using test::open_object;
using test::read;
using test::scales_of;
using test::SizeLimit;
using test::text_attribute;
using test::world;

constexpr std::size_t times = 0;
constexpr std::size_t snapshots = 1;

/// Numbers every so often, and embeddings of `pairs` pairs of views, three numbers each, now and then.
SeriesLayout layout(hsize_t pairs = 10) {
  SeriesLayout all;
  all.fixed = {{{"/mode", "1", "number of the mode", {}}, {3}, std::vector<std::int64_t>{1, 2, 3}, "mode"},
               {{"/initial/names", "1", "their names", {"/mode"}}, {3}, std::vector<std::string>{"a", "bc", ""}, ""}};
  all.series = {{"time",
                 {{{"/time", "s", "training time", {}}, {}, false},
                  {{"/step", "1", "step", {"/time"}}, {}, true},
                  {{"/measured/lambda", "1", "eigenvalues", {"/time", "/mode"}}, {3}, false}}},
                {"snapshot",
                 {{{"/snapshot", "s", "time", {}}, {}, false},
                  {{"/measured/embeddings", "1", "views", {"/snapshot", "", "", "/mode"}}, {2, pairs, 3}, false},
                  {{"/measured/hidden", "1", "samples", {"/snapshot", "", ""}}, {2 * pairs, 3}, false}}}};
  all.attributes = {{"/", {{"seed", std::int64_t{7}}}}, {"/measured", {{"from", std::string("training")}}}};
  return all;
}

void record(SeriesFile& file, std::int64_t step) {
  const auto t = static_cast<double>(step);
  file.append(times, {std::vector{t / 10}, std::vector{step}, std::vector{t, t + 0.25, t + 0.5}});
}

class SeriesFileTest : public test::ResultFileTest {
 protected:
  [[nodiscard]] std::string partial() const { return file("out.h5.partial"); }

  /// A stopped series with records 0, 1, ...
  void stop_after(std::int64_t records, const SeriesLayout& all = layout()) {
    SeriesFile out(world(), file(), false, all);
    for (std::int64_t step = 0; step < records; ++step) record(out, step);
    out.finish("stopped", {}, {{{"/final/loss", "1", "last loss", {}}, {}, std::vector{9.0}, ""}});
  }

  void expect_records(const std::string& path, std::int64_t count, const std::string& status) {
    on_root(path, [&](const h5::Handle& in) {
      std::vector<double> lambda;
      std::vector<std::int64_t> steps;
      for (std::int64_t step = 0; step < count; ++step) {
        const auto t = static_cast<double>(step);
        steps.push_back(step);
        lambda.insert(lambda.end(), {t, t + 0.25, t + 0.5});
      }
      const auto length = static_cast<hsize_t>(count);
      EXPECT_EQ(read<std::int64_t>(in, "/step", {length}), steps);
      EXPECT_EQ(read<double>(in, "/measured/lambda", {length, 3}), lambda);
      EXPECT_EQ(h5::extents(open_object(in, "/time")), std::vector{length});
      EXPECT_EQ(text_attribute(in, "status"), status);
    });
  }
};

TEST_F(SeriesFileTest, RecordsComeBackWithTheirDescription) {
  {
    SeriesFile out(world(), file(), false, layout());
    expect_content({"out.h5.partial"});
    for (std::int64_t step = 0; step < 5; ++step) record(out, step);
    EXPECT_THAT(out.counts(), testing::ElementsAre(5, 0));
    out.sync();
    const std::int64_t size =
        out.finish("complete", {{"/final", {{"steps", std::int64_t{5}}}}},
                   {{{"/final/loss", "1", "last loss", {"/time"}}, {5}, std::vector<double>(5), ""}});
    expect_content({"out.h5"});
    if (world().rank() == 0) {
      EXPECT_EQ(static_cast<std::uintmax_t>(size), fs::file_size(file()));
    }
  }
  expect_content({"out.h5"});
  expect_records(file(), 5, "complete");
  on_root(file(), [](const h5::Handle& in) {
    const h5::Handle lambda = open_object(in, "/measured/lambda");
    EXPECT_EQ(text_attribute(lambda, "description"), "eigenvalues");
    EXPECT_EQ(text_attribute(open_object(in, "/time"), "units"), "s");
    EXPECT_EQ(scales_of(lambda, 0), std::vector<std::string>{"/time"});
    EXPECT_EQ(scales_of(lambda, 1), std::vector<std::string>{"/mode"});
    EXPECT_EQ(scales_of(open_object(in, "/final/loss"), 0), std::vector<std::string>{"/time"});
    EXPECT_EQ(text_attribute(open_object(in, "/measured"), "from"), "training");
    EXPECT_EQ(test::number_attribute<std::int64_t>(in, "seed"), 7);
    EXPECT_EQ(test::number_attribute<std::int64_t>(open_object(in, "/final"), "steps"), 5);
    const h5::Handle names = open_object(in, "/initial/names");
    std::array<char, 6> text{};
    const h5::Handle type(H5Dget_type(names), H5Tclose, "asking for the type");
    h5::check(H5Dread(names, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text.data()), "reading");
    EXPECT_EQ(std::string(text.data(), 6), std::string("a\0bc\0\0", 6));
  });
}

/// In pieces, whoever holds which samples: 30000 pairs are more than one message and more than one chunk.
TEST_F(SeriesFileTest, SamplesComeInTheOrderOfTheFile) {
  for (const std::int64_t pairs : {std::int64_t{10}, std::int64_t{30'000}}) {
    for (const auto& sizes : distributions(pairs, 2)) {
      const BlockVector values = deal(sizes, 3);
      const auto n = static_cast<hsize_t>(pairs);
      SeriesLayout all = layout(n);
      all.fixed.push_back({{"/initial/rows", "1", "samples", {}}, {2 * n, 3}, &values, ""});
      SeriesFile out(world(), file(), true, all);
      for (const double t : {0.0, 1.0}) out.append(snapshots, {std::vector{t}, &values, &values});
      out.finish("complete", {}, {{{"/final/rows", "1", "by view", {}}, {2, n, 3}, &values, ""}});
      on_root(file(), [&](const h5::Handle& in) {
        std::vector<double> rows;
        std::vector<double> by_view;
        for (std::int64_t i = 0; i < 2 * pairs; ++i) {
          const std::int64_t sample = 2 * (i % pairs) + i / pairs;
          for (std::int64_t j = 0; j < 3; ++j) rows.push_back(static_cast<double>(100 * i + j));
          for (std::int64_t j = 0; j < 3; ++j) by_view.push_back(static_cast<double>(100 * sample + j));
        }
        EXPECT_EQ(read<double>(in, "/initial/rows", {2 * n, 3}), rows);
        EXPECT_EQ(read<double>(in, "/final/rows", {2, n, 3}), by_view);
        const auto twice = [](std::vector<double> once) {
          const std::vector<double> copy = once;
          once.insert(once.end(), copy.begin(), copy.end());
          return once;
        };
        EXPECT_EQ(read<double>(in, "/measured/hidden", {2, 2 * n, 3}), twice(rows));
        EXPECT_EQ(read<double>(in, "/measured/embeddings", {2, 2, n, 3}), twice(by_view));
      });
    }
  }
}

TEST_F(SeriesFileTest, ChunksAreSmallButNotTiny) {
  const std::vector<std::vector<hsize_t>> records{{}, {1}, {10}, {300, 300}, {2, 500, 10}, {2, 1'000'000, 50}};
  SeriesLayout all = layout();
  for (std::size_t i = 0; i < records.size(); ++i) {
    all.series[times].datasets.push_back({{fmt::format("/extra/{}", i), "1", "something", {}}, records[i], false});
  }
  SeriesFile(world(), file(), false, all).finish("complete");
  on_root(file(), [&](const h5::Handle& in) {
    for (std::size_t i = 0; i < records.size(); ++i) {
      const h5::Handle storage(H5Dget_create_plist(open_object(in, fmt::format("/extra/{}", i))), H5Pclose, "asking");
      std::vector<hsize_t> chunk(records[i].size() + 1);
      ASSERT_EQ(H5Pget_chunk(storage, static_cast<int>(chunk.size()), chunk.data()), chunk.size());
      const hsize_t bytes = std::accumulate(chunk.begin(), chunk.end(), hsize_t{8}, std::multiplies<>());
      EXPECT_GE(bytes, 32U << 10) << i;
      EXPECT_LE(bytes, 256U << 10) << i;
    }
  });
}

TEST_F(SeriesFileTest, WithoutAnEndTheSeriesStays) {
  {
    SeriesFile out(world(), file(), false, layout());
    record(out, 0);
    EXPECT_EQ(out.partial_path(), partial());
  }
  expect_content({"out.h5.partial"});
  expect_records(partial(), 1, "stopped");
}

TEST_F(SeriesFileTest, ADivergedSeriesKeepsItsName) {
  {
    SeriesFile out(world(), file(), false, layout());
    record(out, 0);
    out.finish("diverged");
  }
  expect_content({"out.h5.partial"});
  expect_records(partial(), 1, "diverged");
}

TEST_F(SeriesFileTest, AStoppedSeriesGoesOnFromWhereItsCheckpointWas) {
  stop_after(9);
  {
    SeriesFile out(world(), file(), false, layout(), {4, 0});
    EXPECT_THAT(out.counts(), testing::ElementsAre(4, 0));
    for (std::int64_t step = 4; step < 20; ++step) record(out, step);
    out.finish("complete", {}, {{{"/final/loss", "1", "last loss", {}}, {}, std::vector{0.5}, ""}});
  }
  expect_content({"out.h5"});
  expect_records(file(), 20, "complete");
  on_root(file(), [](const h5::Handle& in) { EXPECT_EQ(read<double>(in, "/final/loss", {}), std::vector{0.5}); });
}

TEST_F(SeriesFileTest, OnlyTheSameSeriesGoesOn) {
  expect_refusal(ExitCode::input, {partial(), "No such file"}, [&] {
    const SeriesFile out(world(), file(), false, layout(), {0, 0});
  });
  stop_after(3);
  const auto refuse = [&](const SeriesLayout& other, const std::vector<std::int64_t>& counts, const std::string& why) {
    expect_refusal(ExitCode::input, {partial(), why},
                   [&] { const SeriesFile out(world(), file(), false, other, counts); });
    expect_records(partial(), 3, "stopped");
  };
  refuse(layout(), {4, 0}, "/time has 3 records, fewer than the checkpoint's 4");
  refuse(layout(), {3}, "2 series");
  refuse(layout(11), {2, 0}, "/measured/embeddings has the shape (0, 2, 10, 3), expected (0, 2, 11, 3)");
  SeriesLayout other = layout();
  other.series[times].datasets[1].whole = false;
  refuse(other, {2, 0}, "/step has numbers of another kind");
  other = layout();
  other.fixed[0].extents = {4};
  refuse(other, {2, 0}, "/mode has the shape (3), expected (4)");
  other = layout();
  other.series[times].datasets[1].info.path = "/stride";
  refuse(other, {2, 0}, "has no /stride");

  attempt_on_root(world(), [&] { std::ofstream(partial()) << "text"; });
  expect_refusal(ExitCode::io, {partial(), "cannot open"}, [&] {
    const SeriesFile out(world(), file(), false, layout(), {0, 0});
  });
}

TEST_F(SeriesFileTest, WhatIsThereIsReplacedOnlyByForce) {
  check_series_output(world(), file(), false);
  stop_after(3);
  for (const auto& start :
       std::vector<std::function<void()>>{[&] { check_series_output(world(), file(), false); },
                                          [&] { const SeriesFile out(world(), file(), false, layout()); }}) {
    expect_refusal(ExitCode::input, {"--output " + file(), partial(), "exists", "--force"}, start);
  }
  expect_content({"out.h5.partial"});
  expect_records(partial(), 3, "stopped");
  check_series_output(world(), file(), true);
  {
    SeriesFile out(world(), file(), true, layout());
    record(out, 0);
    out.finish("complete");
  }
  expect_content({"out.h5"});
  expect_refusal(ExitCode::input, {file(), "exists already"}, [&] { check_series_output(world(), file(), false); });
  {
    SeriesFile out(world(), file(), false, layout());
    record(out, 0);
    record(out, 1);
    expect_refusal(ExitCode::input, {file(), "exists already"}, [&] { out.finish("complete"); });
  }
  expect_records(file(), 1, "complete");
  expect_records(partial(), 2, "complete");
}

TEST_F(SeriesFileTest, AFileThatSomebodyHasReplacedIsNotRenamed) {
  SeriesFile out(world(), file(), false, layout());
  attempt_on_root(world(), [&] {
    fs::rename(partial(), file("elsewhere"));
    fs::copy(file("elsewhere"), partial());
  });
  expect_refusal(ExitCode::io, {partial(), "replaced"}, [&] { out.finish("complete"); });
  expect_content({"elsewhere", "out.h5.partial"});
}

TEST_F(SeriesFileTest, TheSeriesIsBesideWhatALinkLeadsTo) {
  attempt_on_root(world(), [&] {
    fs::create_directory(file("sub"));
    fs::create_symlink("sub/target.h5", file());
  });
  {
    SeriesFile out(world(), file(), false, layout());
    EXPECT_EQ(fs::path(out.partial_path()).filename(), "target.h5.partial");
    record(out, 0);
    out.finish("complete");
  }
  expect_content({"sub", "out.h5"});
  expect_records(file("sub/target.h5"), 1, "complete");
}

TEST_F(SeriesFileTest, WhereTheDirectoryTakesNothingItSaysSo) {
  const std::string absent = file("absent/out.h5");
  expect_refusal(ExitCode::io, {absent, "does not exist"}, [&] { check_series_output(world(), absent, false); });
  expect_refusal(ExitCode::io, {"absent"}, [&] { const SeriesFile out(world(), absent, false, layout()); });
  attempt_on_root(world(), [&] { fs::create_directory(partial()); });
  expect_refusal(ExitCode::input, {partial(), "not a regular file"},
                 [&] { check_series_output(world(), file(), true); });
}

/// HDF5 would not survive a write that fails: room is taken before.
TEST_F(SeriesFileTest, AFullDiskLeavesTheRecordsSoFar) {
  const BlockVector values = deal(distributions(1000, 2)[0], 3);
  const std::vector<DatasetValues> large{std::vector{0.0}, &values, &values};
  {
    SeriesFile out(world(), file(), false, layout(1000));
    for (std::int64_t step = 0; step < 30; ++step) record(out, step);
    std::optional<SizeLimit> full(4 << 20);
    expect_refusal(ExitCode::io, {"--output " + file(), "no room for"}, [&] {
      while (out.counts()[snapshots] < 100) out.append(snapshots, large);
    });
    EXPECT_GT(out.counts()[snapshots], 5);
    record(out, 30);  // needs none
    out.finish("stopped");
  }
  expect_records(partial(), 31, "stopped");
  {
    SeriesFile out(world(), file(), false, layout(1000), {31, 4});
    for (int i = 0; i < 60; ++i) out.append(snapshots, large);
    out.finish("complete");
  }
  expect_records(file(), 31, "complete");
  on_root(file(), [](const h5::Handle& in) { EXPECT_EQ(h5::extents(open_object(in, "/snapshot")).front(), 64U); });

  expect_refusal(ExitCode::io, {"no room for"}, [&] {
    std::optional<SizeLimit> full(10'000);
    const SeriesFile out(world(), file("other.h5"), false, layout());
  });
  expect_content({"out.h5"});
}

TEST_F(SeriesFileTest, ARecordThatDoesNotFitIsRefusedAndTheSeriesGoesOn) {
  SeriesFile out(world(), file(), false, layout());
  const BlockVector narrow = deal(distributions(10, 2)[0], 2);
  const auto refuse = [&](std::size_t series, const std::vector<DatasetValues>& values, const std::string& why) {
    expect_refusal(ExitCode::internal, {why}, [&] { out.append(series, values); });
  };
  const std::vector<std::int64_t> whole{1};
  refuse(times, {std::vector{0.0}, whole}, "2 entries for 3 datasets");
  refuse(times, {std::vector{0.0}, whole, std::vector{1.0, 2.0}}, "/measured/lambda: 2 values for a shape of (3)");
  refuse(times, {std::vector{0.0}, std::vector{1.0}, std::vector{1.0, 2.0, 3.0}}, "/step: values of another kind");
  refuse(times, {std::vector{0.0}, std::vector<std::string>{"x"}, std::vector{1.0, 2.0, 3.0}}, "another kind");
  refuse(snapshots, {std::vector{0.0}, &narrow, &narrow}, "samples of 2 numbers for a shape of (2, 10, 3)");
  if (world().size() > 1) {  // not all ranks
    refuse(times, {std::vector{0.0}, whole, std::vector<double>(world().rank() == 0 ? 3 : 4)}, "4 values");
  }
  EXPECT_THAT(out.counts(), testing::ElementsAre(0, 0));
  record(out, 0);
  out.finish("complete");
  expect_records(file(), 1, "complete");
}

}  // namespace
}  // namespace stepwise
