#include "stepwise/core/index.hpp"

#include <gtest/gtest.h>

#include <string>

namespace stepwise {
namespace {

TEST(Narrow, PassesWhatFits) {
  EXPECT_EQ(narrow(0, "n"), 0);
  EXPECT_EQ(narrow(2147483647, "n"), 2147483647);
  EXPECT_EQ(narrow(-2147483648LL, "n"), -2147483647 - 1);
}

TEST(Narrow, NamesWhatDoesNot) {
  for (const std::int64_t n : {2147483648LL, -2147483649LL, 1000000000000LL}) {
    try {
      (void)narrow(n, "the local length");
      ADD_FAILURE() << n << " passed";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::memory);
      EXPECT_NE(std::string(error.what()).find("the local length is " + std::to_string(n)), std::string::npos)
          << error.what();
    }
  }
}

TEST(CeilDiv, RoundsUp) {
  static_assert(ceil_div(0, 3) == 0);
  static_assert(ceil_div(1, 3) == 1);
  static_assert(ceil_div(3, 3) == 1);
  static_assert(ceil_div(4, 3) == 2);
  static_assert(ceil_div(1'000'000'000'000, 7) == 142'857'142'858);
}

TEST(StrongIndices, KeepTheirValue) {
  static_assert(value(Global{1'000'000'000'000}) == 1'000'000'000'000);
  static_assert(value(Local{5}) == 5);
  static_assert(Range{2, 7}.size() == 5);
}

TEST(EvenShare, PiecesTileTheRangeAndShareOfInvertsThem) {
  for (std::int64_t n = 0; n <= 40; ++n) {
    for (std::int64_t parts = 1; parts <= 13; ++parts) {
      std::int64_t next = 0;
      for (std::int64_t part = 0; part < parts; ++part) {
        const Range share = even_share(n, parts, part);
        ASSERT_EQ(share.begin, next);
        ASSERT_EQ(share.size(), n / parts + (part < n % parts ? 1 : 0));
        for (std::int64_t i = share.begin; i < share.end; ++i) ASSERT_EQ(share_of(n, parts, i), part);
        next = share.end;
      }
      ASSERT_EQ(next, n);
    }
  }
}

TEST(EvenShare, LargeSizes) {
  constexpr std::int64_t n = 1'000'000'000'000;
  for (const std::int64_t parts : {1L, 7L, 4096L, 999'999L}) {
    EXPECT_EQ(even_share(n, parts, 0).begin, 0);
    EXPECT_EQ(even_share(n, parts, parts - 1).end, n);
    for (const std::int64_t part : {std::int64_t{0}, parts / 3, parts / 2, parts - 1}) {
      const Range share = even_share(n, parts, part);
      EXPECT_EQ(share_of(n, parts, share.begin), part);
      EXPECT_EQ(share_of(n, parts, share.end - 1), part);
      if (part + 1 < parts) {
        EXPECT_EQ(even_share(n, parts, part + 1).begin, share.end);
      }
    }
  }
}

}  // namespace
}  // namespace stepwise
