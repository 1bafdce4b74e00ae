// SPDX-License-Identifier: Apache-2.0
#include "kv_eval/verdict_report.hpp"

#include <cmath>

#include "shared/table.hpp"

namespace kvcal {
namespace {

std::string signed_score(double value) {
  return std::isnan(value) ? "-" : fmt::format("{:+.3f}", value);
}

std::string spread(double low, double high, int digits) {
  return fmt::format("[{:.{}f}, {:.{}f}]", low, digits, high, digits);
}

}  // namespace

std::string latency_table(const std::vector<LatencyRecord>& records) {
  Table table({"<task", "<variant alone", "<visibility", "prompt", "first token s", "of repeats",
               "compaction s", "tok/s", "of repeats", "n", "kept", "peak memory"});
  for (const auto& r : records) {
    table.add({r.task, variant_name(r), r.visibility, std::to_string(r.prompt_tokens),
               fmt::format("{:.3f}", r.ttft_s), spread(r.ttft_min_s, r.ttft_max_s, 3),
               std::isnan(r.compact_s) ? "-" : fmt::format("{:.3f}", r.compact_s),
               fmt::format("{:.1f}", r.tokens_per_s),
               spread(r.tokens_per_s_min, r.tokens_per_s_max, 1), std::to_string(r.repeats),
               format_bytes(static_cast<double>(r.kept_bytes)),
               std::isnan(r.peak_bytes) ? "-" : format_bytes(r.peak_bytes)});
  }
  return table.text();
}

std::string drift_text(const FullCacheDrift& drift) {
  if (drift.n == 0) return "not in both, so its drift cannot be told";
  const std::string nll =
      std::isnan(drift.answer_nll) ? "" : fmt::format(", NLL by {:.4f}", drift.answer_nll);
  return fmt::format("scores differ by {:.4f} on average{}, over {} prompts", drift.score, nll,
                     drift.n);
}

std::string baseline_table(const BaselineReport& report) {
  std::string text =
      fmt::format("against {}\nfull cache: {}\n", report.file, drift_text(report.drift));
  if (report.absent_now + report.absent_before > 0) {
    text += fmt::format("cells of the baseline that were not run: {}; new ones: {}\n",
                        report.absent_now, report.absent_before);
  }
  Table table({"<task", "<variant", "<visibility", "n", "before", "now", "difference",
               "95% interval", "Holm p", "<"});
  for (const auto& row : report.rows) {
    table.add({row.task, variant_name(row), row.visibility, std::to_string(row.n),
               format_score(row.before), format_score(row.now), signed_score(row.delta),
               format_interval(row.ci_low, row.ci_high),
               std::isnan(row.p_holm) ? "-" : fmt::format("{:.4f}", row.p_holm), row.verdict});
  }
  return text + table.text();
}

std::string gate_table(const std::vector<GateVerdict>& verdicts) {
  Table table(
      {"<gate", "<task", "<visibility", "n", "left", "right", "margin", "95% interval", "<"});
  for (const auto& v : verdicts) {
    table.add({v.gate, v.task, v.visibility, std::to_string(v.n), format_score(v.left),
               format_score(v.right), signed_score(v.margin), format_interval(v.ci_low, v.ci_high),
               v.verdict + (v.reason.empty() ? "" : ": " + v.reason)});
  }
  return table.text();
}

}  // namespace kvcal
