// SPDX-License-Identifier: Apache-2.0
// Baseline: results of an earlier run that a new one is held to. The full cache comes first: if it
// no longer answers as it did, machine, build or model changed and no compressed number means
// anything; only then the cells are compared.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "kvcal/profile/results.hpp"

namespace kvcal {

/// How far the full cache may drift: means over samples of absolute differences, so that a gain
/// here does not pay for a loss there. Another machine or build rounds differently and an answer
/// may flip now and then in bf16; a change of model, prompt or forward pass is far larger. Seen on
/// SmolLM2 at 900 tokens: two right attention kernels in bf16 are 0.02 apart, either 0.02 - 0.03
/// from f32.
inline constexpr double kFullScoreTolerance = 0.02;
inline constexpr double kFullNllTolerance = 0.05;  ///< nats a token

struct FullCacheDrift {
  int64_t n = 0;  ///< pairs of one sample and visibility; 0: it cannot be told
  double score = std::numeric_limits<double>::quiet_NaN();
  double answer_nll = std::numeric_limits<double>::quiet_NaN();  ///< NaN: not measured in both

  bool is_too_far() const { return score > kFullScoreTolerance || answer_nll > kFullNllTolerance; }

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& v) {
    v("n", self.n), v("score", self.score), v("answer_nll", self.answer_nll);
  }
};

/// A cell that both runs have, on the samples that both have.
struct BaselineRow {
  std::string task, metric, method, visibility, mask, budget;
  int64_t n = 0;
  double before = 0, now = 0, delta = 0;  ///< delta = now - before
  double ci_low = 0, ci_high = 0, p_holm = 0;
  std::string verdict;  ///< "regressed", "improved" or "same"

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& v) {
    v("task", self.task), v("metric", self.metric), v("method", self.method);
    v("visibility", self.visibility), v("mask", self.mask), v("budget", self.budget);
    v("n", self.n), v("before", self.before), v("now", self.now), v("delta", self.delta);
    v("ci_low", self.ci_low), v("ci_high", self.ci_high), v("p_holm", self.p_holm);
    v("verdict", self.verdict);
  }
};

struct BaselineReport {
  std::string file;
  FullCacheDrift drift;
  std::vector<BaselineRow> rows;
  int64_t absent_now = 0, absent_before = 0;  ///< cells that only the other run has

  bool has_regressed() const;
};

/// Of the prompt that a run is about to feed, for the baseline to agree with.
struct PromptId {
  std::string task, sample, sha256;
};

/// Before a run: are its numbers going to be comparable?
/// @throws Error{input} another model, no prompt in common, or one of the same name with another
///         text: the first that differs, both hashes
void require_comparable(const Results& baseline, const ModelIdentity& model,
                        const std::vector<PromptId>& prompts, const std::filesystem::path& file);

/// @throws Error{input} dtypes differ, both
void require_same_dtype(const Results& baseline, std::string_view dtype,
                        const std::filesystem::path& file);

/// While a run is going on: the full cache is off by so much already that agreement of everything
/// to come cannot bring it back, so that hours need not be spent on numbers that will be refused.
bool is_drift_certain(const Results& so_far, const Results& before);

/// Regressed or improved: the interval of the difference excludes zero, and Holm's p-value over all
/// rows is at most 0.05.
BaselineReport compare_with_baseline(const Results& now, const Results& before, uint64_t seed);

}  // namespace kvcal
