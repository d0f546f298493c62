#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "stepwise/core/error.hpp"

namespace stepwise {

/// Expects `work` to throw an Error with this code whose message holds every one of `parts`.
template <class Work>
void expect_error(ExitCode code, const std::vector<std::string>& parts, Work&& work) {
  try {
    work();
    ADD_FAILURE() << "no error; expected one about " << (parts.empty() ? "something" : parts.front());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    for (const std::string& part : parts) EXPECT_THAT(error.what(), testing::HasSubstr(part));
  }
}

}  // namespace stepwise
