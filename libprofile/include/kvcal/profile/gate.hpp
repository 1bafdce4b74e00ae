// SPDX-License-Identifier: Apache-2.0
// Gates: claims about results that a run is held to, e.g. "compresskv@3% >= 0.97*full". Decided on
// the interval of the paired difference, never on a mean alone. Grammar and rule:
// docs/statistics.md.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvcal/profile/results.hpp"

namespace kvcal {

/// gate     = measured relation right
/// relation = ">=" | ">" | "<=" | "<"
/// right    = NUMBER | [NUMBER "*"] measured [("+" | "-") NUMBER]
/// measured = variant | FIELD "(" variant ")"           FIELD of both sides is the same
/// variant  = METHOD ["@" BUDGET] [":" TASK]            TASK on the left side only
struct Gate {
  enum class Relation { at_least, above, at_most, below };

  std::string text;   ///< as written
  std::string field;  ///< "score" or a number of Fidelity
  double SampleRecord::*value = nullptr;
  std::string variant;  ///< "full", "snapkv@64"
  std::string task;     ///< empty: each task of the run
  Relation relation = Relation::at_least;
  std::optional<std::string> other;  ///< the right side is factor * other + offset
  double factor = 1, offset = 0;
};

/// @throws Error{config} with the column and what would be right there
Gate parse_gate(std::string_view text);

/// @param variants  of the run, e.g. "full", "snapkv@64"
/// @throws Error{config} the gate names what is not run
void require_runs(const Gate& gate, const std::vector<std::string>& variants,
                  const std::vector<std::string>& tasks);

/// A gate on one task and visibility.
struct GateVerdict {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  std::string gate, task, metric, visibility;
  int64_t n = 0;
  double left = kNone, right = kNone;      ///< means; the right one with its factor and offset
  double margin = kNone;                   ///< left - right
  double ci_low = kNone, ci_high = kNone;  ///< of margin
  std::string verdict;                     ///< "passed", "failed", "undecided"
  std::string reason;                      ///< why undecided

  bool is_passed() const { return verdict == "passed"; }

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& v) {
    v("gate", self.gate), v("task", self.task), v("metric", self.metric);
    v("visibility", self.visibility), v("n", self.n), v("left", self.left);
    v("right", self.right), v("margin", self.margin), v("ci_low", self.ci_low);
    v("ci_high", self.ci_high), v("verdict", self.verdict), v("reason", self.reason);
  }
};

/// One verdict for each task and visibility that has the left side, at least one in all.
/// passed: the whole interval of the margin is on the right side of zero; failed: none of it is;
/// undecided, which does not pass either: it holds zero, or there are too few samples for one.
std::vector<GateVerdict> decide(const Gate& gate, const Results& results, uint64_t seed);

}  // namespace kvcal
