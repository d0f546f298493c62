#include "stepwise/core/memory.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace stepwise {
namespace {

TEST(Memory, AvailableIsPlausible) {
  const auto available = available_memory();
  ASSERT_TRUE(available.has_value());
  EXPECT_GT(*available, std::int64_t{1} << 20);
  EXPECT_LT(*available, std::int64_t{1} << 50);
}

TEST(Memory, PeakGrowsWithWhatIsTouchedAndNeverShrinks) {
  constexpr std::size_t bytes = std::size_t{1} << 28;
  const std::int64_t before = peak_memory();
  EXPECT_GT(before, 0);
  {
    const std::vector<char> touched(bytes, 'x');
    EXPECT_EQ(touched[bytes / 2], 'x');
    EXPECT_GE(peak_memory(), static_cast<std::int64_t>(bytes));
  }
  EXPECT_GE(peak_memory(), before);
}

TEST(Memory, BytesAreReadable) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1024), "1.00 KiB");
  EXPECT_EQ(format_bytes(1.5 * 1024 * 1024 * 1024), "1.50 GiB");
  EXPECT_EQ(format_bytes(30.0 * (std::int64_t{1} << 40)), "30.0 TiB");
  EXPECT_EQ(format_bytes(300.0 * (std::int64_t{1} << 20)), "300 MiB");
}

}  // namespace
}  // namespace stepwise
