// SPDX-License-Identifier: Apache-2.0
// The structure of an HDF5 file as text, compared with a file in tests/golden.
// KVCAL_UPDATE_GOLDEN=1 rewrites the golden file; the diff is reviewed.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace kvcal::test {

/// One line per object and attribute, sorted: "/heads/semantic/sum f64 [2, 4]", "/ @seed i64".
std::string structure_of(const std::filesystem::path& hdf5_file);

/// Fails the running test where they differ.
void expect_golden(const std::string& text, std::string_view golden_file);

}  // namespace kvcal::test
