// SPDX-License-Identifier: Apache-2.0
// Latency of one variant alone: what a server would see, apart from the sweep, whose times are
// shares of a batch.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace kvcal {

/// One variant on one prompt, repeated; the middle and both ends of the repeats.
struct LatencyRecord {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  std::string task, sample, method, visibility, mask, budget;
  int64_t prompt_tokens = 0;  ///< question included
  int64_t new_tokens = 0;     ///< decoded after the first, whatever they are
  int64_t repeats = 0;
  /// Time to first token, s: prefill, statistics the method asks for, compression, question, and
  /// the choice of the first token.
  double ttft_s = 0, ttft_min_s = 0, ttft_max_s = 0;
  /// The part of it between prefill and question, s: passes of its own (repetition, self-study),
  /// scores, selection, fit, and copying what stays; the middle of the repeats.
  double compact_s = kNone;
  double tokens_per_s = 0, tokens_per_s_min = 0, tokens_per_s_max = 0;
  int64_t kept_bytes = 0;  ///< counted: of the kept prompt entries
  /// Measured: how far the process' resident memory rose above what it held before the repeat
  /// (weights are loaded by then); the largest of the repeats. NaN where the system does not tell.
  double peak_bytes = kNone;

  static constexpr std::string_view kAddedLater[] = {"compact_s"};

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& v) {
    v("task", self.task), v("sample", self.sample), v("method", self.method);
    v("visibility", self.visibility), v("mask", self.mask), v("budget", self.budget);
    v("prompt_tokens", self.prompt_tokens), v("new_tokens", self.new_tokens);
    v("repeats", self.repeats), v("ttft_s", self.ttft_s), v("ttft_min_s", self.ttft_min_s);
    v("ttft_max_s", self.ttft_max_s), v("compact_s", self.compact_s);
    v("tokens_per_s", self.tokens_per_s);
    v("tokens_per_s_min", self.tokens_per_s_min), v("tokens_per_s_max", self.tokens_per_s_max);
    v("kept_bytes", self.kept_bytes), v("peak_bytes", self.peak_bytes);
  }
};

}  // namespace kvcal
