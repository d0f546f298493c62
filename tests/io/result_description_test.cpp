#include "stepwise/io/result_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <array>
#include <stdexcept>

#include "io/look.hpp"
#include "io/scratch.hpp"
#include "stepwise/dist/agree.hpp"
#include "support/grids.hpp"

namespace stepwise {
namespace {

using test::deal;
using test::distributions;
using test::expect_refusal;
using test::number_attribute;
using test::on_root;
using test::open_object;
using test::read;
using test::ResultFileTest;
using test::scales_of;
using test::text_attribute;
using test::world;
using test::write_number;

TEST_F(ResultFileTest, EveryDatasetSaysWhatItIs) {
  const std::vector<std::int64_t> numbers{1, 2, 3};
  ResultFile out(world(), file(), false);
  out.write_scale({"/mode", "1", "number of a mode", {}}, "mode", numbers);
  out.write_scale({"/g/time", "s", "training time", {}}, "time", std::vector{0.0, 0.5});
  out.write({"/g/lambda", "1", "eigenvalues λ", {"/g/time", "/mode"}}, {2, 3}, std::vector<double>(6));
  out.write({"/half", "m", "only one scale", {"", "/mode"}}, {2, 3}, std::vector<double>(6));
  const BlockVector rows = deal(distributions(3, 1)[0], 2);
  out.write_samples({"/rows", "kg", "distributed", {"/mode", "/g/time"}}, rows);
  out.commit();
  on_root(file(), [&](const h5::Handle& in) {
    const auto expect = [&](const std::string& path, const std::string& units, const std::string& description,
                            const std::vector<std::vector<std::string>>& scales) {
      const h5::Handle dataset = open_object(in, path);
      EXPECT_EQ(text_attribute(dataset, "units"), units);
      EXPECT_EQ(text_attribute(dataset, "description"), description);
      for (unsigned i = 0; i < scales.size(); ++i) EXPECT_EQ(scales_of(dataset, i), scales[i]) << path << " " << i;
    };
    expect("/mode", "1", "number of a mode", {});
    expect("/g/time", "s", "training time", {});
    expect("/g/lambda", "1", "eigenvalues λ", {{"/g/time"}, {"/mode"}});
    expect("/half", "m", "only one scale", {{}, {"/mode"}});
    expect("/rows", "kg", "distributed", {{"/mode"}, {"/g/time"}});
    EXPECT_GT(H5DSis_scale(open_object(in, "/mode")), 0);
    EXPECT_EQ(H5DSis_scale(open_object(in, "/half")), 0);
    std::string name(20, '\0');
    name.resize(static_cast<std::size_t>(H5DSget_scale_name(open_object(in, "/g/time"), name.data(), name.size())));
    EXPECT_EQ(name, "time");
    EXPECT_EQ(read<std::int64_t>(in, "/mode", {3}), numbers);
  });
}

TEST_F(ResultFileTest, AttributesOfFileGroupAndDataset) {
  const std::string text = "Gamma Γ, a \"quoted\" word\nand a second line";
  ResultFile out(world(), file(), false);
  out.write({"/g/number", "1", "a number", {}}, {}, std::vector{1.0});
  out.attributes("/", {{"text", text}, {"empty", ""}, {"count", INT64_MAX}, {"size", 0.1}});
  out.attributes("/g", {{"seconds: kernel matrix", 2.5}});
  out.attributes("/g/number", {{"note", "n"}});
  out.attributes("/", {});
  out.commit();
  on_root(file(), [&](const h5::Handle& in) {
    EXPECT_EQ(text_attribute(in, "text"), text);
    EXPECT_EQ(text_attribute(in, "empty"), "");
    EXPECT_EQ(number_attribute<std::int64_t>(in, "count"), INT64_MAX);
    EXPECT_EQ(number_attribute<double>(in, "size"), 0.1);
    EXPECT_EQ(number_attribute<double>(open_object(in, "/g"), "seconds: kernel matrix"), 2.5);
    EXPECT_EQ(text_attribute(open_object(in, "/g/number"), "note"), "n");
  });
}

TEST_F(ResultFileTest, MistakesAreErrorsThatNameTheObject) {
  const auto with_file = [&](const std::function<void(ResultFile&)>& work) {
    return [this, work] {
      ResultFile out(world(), file(), false);
      out.write({"/number", "1", "a number", {}}, {}, std::vector{1.0});
      work(out);
      out.commit();
    };
  };
  const std::vector<double> two{1, 2};
  expect_refusal(ExitCode::io, {"/number"}, with_file([](auto& out) {
                   out.write({"/number", "1", "again", {}}, {}, std::vector{2.0});
                 }));
  expect_refusal(ExitCode::io, {"/absent"}, with_file([&](auto& out) {
                   out.write({"/x", "1", "without its scale", {"/absent"}}, {2}, two);
                 }));
  expect_refusal(ExitCode::io, {"/absent"}, with_file([](auto& out) { out.attributes("/absent", {{"a", 1.0}}); }));
  expect_refusal(ExitCode::io, {"twice"}, with_file([](auto& out) {
                   out.attributes("/", {{"twice", 1.0}, {"twice", 2.0}});
                 }));
  expect_refusal(ExitCode::internal, {"/x"}, with_file([&](auto& out) { out.write({"/x", "1", "", {}}, {3}, two); }));
  expect_content({});
}

/// What one rank does differently must end in an error on all of them, never in a wait for ever.
TEST_F(ResultFileTest, RanksThatDisagreeGetAnError) {
  if (world().size() == 1) GTEST_SKIP() << "needs two ranks";
  const bool odd = world().rank() == world().size() - 1;
  const std::vector<double> six(6);
  const auto sizes = distributions(8, 2)[0];
  const std::vector<std::function<void(ResultFile&)>> disagreements{
      [&](auto& out) {
        out.write({odd ? "/x" : "/y", "1", "path", {}}, {6}, six);
      },
      [&](auto& out) {
        out.write({"/x", "1", "shape", {}}, odd ? std::vector<hsize_t>{2, 3} : std::vector<hsize_t>{6}, six);
      },
      [&](auto& out) {
        out.write({"/x", "1", odd ? "other" : "description", {}}, {6}, six);
      },
      [&](auto& out) {
        out.write({"/x", odd ? "m" : "1", "units", {}}, {6}, six);
      },
      [&](auto& out) {
        out.write({"/x", "1", "scale", {odd ? "" : "/six"}}, {6}, six);
      },
      [&](auto& out) {
        out.write({"/x", "1", "length", {}}, {6}, std::vector<double>(odd ? 5 : 6));
      },
      [&](auto& out) {
        out.write_scale({"/x", "1", "length", {}}, "x", std::vector<double>(odd ? 5 : 6));
      },
      [&](auto& out) {
        out.write_scale({"/x", "1", "name", {}}, odd ? "x" : "y", six);
      },
      [&](auto& out) {
        out.attributes(odd ? "/" : "/six", {{"a", 1.0}});
      },
      [&](auto& out) {
        out.attributes("/", {{odd ? "a" : "b", 1.0}});
      },
      [&](auto& out) {
        out.attributes("/", odd ? Attributes{{"a", "1"}} : Attributes{{"a", 1.0}});
      },
      [&](auto& out) {
        out.attributes("/", odd ? Attributes{} : Attributes{{"a", 1.0}});
      },
  };
  for (std::size_t i = 0; i < disagreements.size(); ++i) {
    SCOPED_TRACE(i);
    expect_refusal(ExitCode::internal, {}, [&] {
      ResultFile out(world(), file(), false);
      out.write_scale({"/six", "1", "a scale", {}}, "six", six);
      disagreements[i](out);
      out.commit();
    });
    expect_content({});
  }
}

TEST_F(ResultFileTest, RowsThatDoNotFitTogetherAreAnError) {
  const bool last = world().rank() == world().size() - 1;
  const auto sizes = distributions(8, 2)[0];
  const std::vector<std::function<void(BlockVector&)>> mistakes{
      [&](BlockVector& v) { v.samples += last ? 2 : 0; },
      [&](BlockVector& v) { v.samples += 2; },
      [&](BlockVector& v) { v.width += last ? 1 : 0; },
      [&](BlockVector& v) { v.data.resize(v.data.size() - (last ? 1 : 0)); },
      [&](BlockVector& v) {  // beyond the end
        if (last) v.range = {v.range.begin + 2, v.range.end + 2};
      },
      [&](BlockVector& v) {  // a row that nobody has
        if (!last) return;
        v.range.begin += 1;
        v.data.resize(static_cast<std::size_t>(v.width * v.range.size()));
      },
  };
  using Write = void (*)(ResultFile&, const DatasetInfo&, const BlockVector&);
  const std::array<Write, 3> writers{
      [](ResultFile& out, const DatasetInfo& info, const BlockVector& v) { out.write_samples(info, v); },
      [](ResultFile& out, const DatasetInfo& info, const BlockVector& v) { out.write_views(info, v); },
      [](ResultFile& out, const DatasetInfo& info, const BlockVector& v) { out.write_stacked_views(info, v); }};
  for (const Write write : writers) {
    for (std::size_t i = 0; i < mistakes.size(); ++i) {
      SCOPED_TRACE(i);
      BlockVector rows = deal(sizes, 3);
      mistakes[i](rows);
      expect_refusal(ExitCode::internal, {"/rows"}, [&] {
        ResultFile out(world(), file(), false);
        write(out, {"/rows", "1", "rows", {}}, rows);
        out.commit();
      });
      expect_content({});
    }
  }
}

/// Rank 0's path and force count: they may come from its command line alone.
TEST_F(ResultFileTest, RankZeroNamesTheFile) {
  const bool root = world().rank() == 0;
  check_output(world(), root ? file() : file("absent/other.h5"), false);
  write_number(root ? file() : file("absent/other.h5"), 1);
  expect_content({"out.h5"});
  write_number(root ? file() : file("other.h5"), 2, root);
  expect_content({"out.h5"});
  expect_refusal(ExitCode::input, {"out.h5: exists"},
                 [&] { write_number(root ? file() : file("other.h5"), 2, !root); });
}

}  // namespace
}  // namespace stepwise
