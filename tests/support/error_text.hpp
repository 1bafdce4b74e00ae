// SPDX-License-Identifier: Apache-2.0
// The sentence of an error, for tests that check what a user reads.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "kvcal/compress/error.hpp"

namespace kvcal::test {

/// The message that `call` throws with that kind; fails the test otherwise.
template <class Call>
std::string error_text(Kind kind, Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "no error";
}

}  // namespace kvcal::test
