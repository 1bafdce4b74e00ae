// SPDX-License-Identifier: Apache-2.0
// Where tests find files. What may be absent is asked for by a function that says so by skipping.
#pragma once

#include <filesystem>
#include <string_view>

namespace kvcal::test {

/// The source tree.
std::filesystem::path source_dir();

/// A file under tests/.
std::filesystem::path test_file(std::string_view relative);

/// models/SmolLM2-135M-Instruct (or $KVCAL_TEST_MODEL); empty when it was not fetched.
std::filesystem::path smollm2();

/// Third-party data kept outside the project ($KVCAL_EXTERNAL_DATA, else ../shared/data); empty
/// when absent.
std::filesystem::path external_data(std::string_view relative);

/// A fresh directory, removed at the end of the program.
std::filesystem::path scratch_dir();

}  // namespace kvcal::test

/// Skips the running test, visibly, when `path` is empty.
#define KVCAL_SKIP_IF_ABSENT(path, what) \
  if ((path).empty()) GTEST_SKIP() << (what) << " is not there"
