// SPDX-License-Identifier: Apache-2.0
// Expecting an error: its kind and its sentence.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "kvcal/compress/error.hpp"

namespace kvcal::test {

/// The message of the error that `action` throws; "no error" if it throws none.
template <class Action>
std::string error_of(Kind kind, Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "no error";
}

template <class Action>
void expect_error(Kind kind, const std::string& part, Action&& action) {
  const std::string message = error_of(kind, action);
  EXPECT_NE(message.find(part), std::string::npos) << message << "\nlacks: " << part;
}

}  // namespace kvcal::test
