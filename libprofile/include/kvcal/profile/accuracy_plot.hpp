// SPDX-License-Identifier: Apache-2.0
// Accuracy versus kept share, one curve per method with its interval as a band. Drawn by gnuplot.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "kvcal/profile/results.hpp"

namespace kvcal {

/// @throws Error{config} not .svg or .png, or gnuplot is not installed: told before any work starts
void require_plot_format(const std::filesystem::path& file);

/// A panel per task, metric and visibility, below each other.
/// @throws Error{config} as above; Error{input} gnuplot failed or the file cannot be written
void plot_accuracy(const std::vector<Cell>& cells, const std::filesystem::path& file);

}  // namespace kvcal
