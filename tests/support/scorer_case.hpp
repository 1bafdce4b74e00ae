// SPDX-License-Identifier: Apache-2.0
// Comparing scorers with reference cases: where the files are, the layer they hold, tolerances.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "kvcal/compress/scorer.hpp"
#include "support/safetensors_case.hpp"

namespace kvcal::test {

constexpr double kScoreTolerance = 5e-5;  ///< relative
/// Below this relative distance of neighbours at the cut, references may order them otherwise.
constexpr double kSureGap = 1e-4;

/// small: in the repository; real: a layer of SmolLM2, where the external data is there (else
/// empty).
std::filesystem::path case_file(const std::string& name, const std::string& size);

/// Keys, values, the last 64 queries and the output projection of input_<size>.
LayerView view_of(const SafetensorsCase& input);

std::unique_ptr<Scorer> make_scorer(std::string_view name,
                                    const std::map<std::string, ParamValue>& values = {});

/// Fails the running test, naming the worst entry, where `got` is further from `expected` than
/// tolerance * |expected|.
void expect_close(const at::Tensor& got, const at::Tensor& expected,
                  double tolerance = kScoreTolerance);

/// Fails the running test where the best scores are not the expected tokens; where `gap` is below
/// kSureGap, where their scores are not the same.
///
/// @param scores    [kv_heads, tokens]
/// @param expected  [kv_heads, kept] i64
/// @param gap       [kv_heads]
void expect_kept(const at::Tensor& scores, const at::Tensor& expected, const at::Tensor& gap);

}  // namespace kvcal::test
