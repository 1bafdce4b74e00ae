// SPDX-License-Identifier: Apache-2.0
#include "support/report_case.hpp"

#include <array>

namespace kvcal::test {
namespace {

struct Condition {
  std::string method, budget, mask;
  double share, score;
};

SampleRecord record(const ReportNames& names, const Condition& condition, int64_t sample) {
  SampleRecord r;
  r.task = names.task, r.sample = names.sample + std::to_string(sample);
  r.method = condition.method, r.budget = condition.budget, r.mask = condition.mask;
  r.visibility = "aware", r.metric = "niah_rouge1_recall";
  r.depth = sample < 2 ? 0.1 : 0.9, r.length = sample % 2 == 0 ? 100 : 200;
  r.prompt_tokens = 100, r.budget_tokens = static_cast<int64_t>(100 * condition.share);
  r.kept_entries = 4 * r.budget_tokens;
  r.kept_bytes = 1048576 * r.kept_entries / 100, r.full_bytes = 1048576 * 4;
  // Some spread, so that there are intervals; the mean stays.
  const double spread = condition.method == "full" && condition.mask.empty() ? 0 : 0.0625;
  r.score = condition.score + (sample % 2 == 0 ? spread : -spread);
  r.score = condition.score == 0 ? 0 : r.score;
  r.prediction = names.prediction, r.references = {names.reference};
  r.generated_tokens = 10, r.prefill_s = 0.5, r.decode_s = 0.25;
  r.kl = condition.share == 1 ? 0 : 1.5 - condition.share, r.top1_agreement = condition.share;
  r.answer_nll = 2, r.full_answer_nll = 1;
  r.kept_per_head.assign(4, static_cast<int32_t>(r.kept_entries / 4));
  return r;
}

}  // namespace

ReportNames hostile_names() {
  ReportNames names;
  names.model = "</title><script>alert(1)</script>";
  names.task = "jsonl:<b>\"it's\"</b> `touch pwned` & \\ | {{style}}";
  names.method = "'\n<m>`touch pwned`$x @y %s \xFF\x01";
  names.sample = "</details><img src=x onerror=alert(1)>";
  names.mask = "srh'<i>:1\"";
  names.prediction =
      "</td></table><script>alert(2)</script>\xC3\x28 \xE2\x80\xAE right to left\n\t&amp;";
  names.reference = "]]>--><!-- \"quoted\" 'text'";
  names.command = "kv-eval '{{sections}}' <x>";
  return names;
}

Results report_results(const ReportNames& names) {
  Results results;
  results.model = {names.model, "c0", "0123456789abcdef", "t0", 2, 4, 2, 8};
  results.provenance = {
      "kv-eval 0.1.0 (abc1234)", names.command, "seed: 1\nlimit: 2\n", "cpu", "f32", 1,
      "2026-01-02T03:04:05Z"};
  const std::array conditions{Condition{"full", "full", "", 1, 1},
                              Condition{"random", "25%", "", 0.25, 0},
                              Condition{"random", "50%", "", 0.5, 0.5},
                              Condition{names.method, "25%", "", 0.25, 0.25},
                              Condition{names.method, "50%", "", 0.5, 0.75},
                              Condition{"full", "full", names.mask, 1, 0.125}};
  for (int64_t sample = 0; sample < 4; ++sample) {
    for (const auto& condition : conditions) {
      results.records.push_back(record(names, condition, sample));
    }
  }
  return results;
}

Profile report_profile(const ReportNames& names) {
  Profile profile;
  profile.model = report_results(names).model;
  profile.provenance = report_results(names).provenance;
  profile.provenance.tool = "layer-budget 0.1.0 (abc1234)";
  HeadScores scores{2, 4, {1, 4, 2, 4, 0, 0, 0, 8}, 2, {}};
  for (int prompt = 0; prompt < 2; ++prompt) {
    for (double sum : scores.sum) scores.per_prompt.push_back(static_cast<float>(sum / 2));
  }
  profile.heads[names.mask] = scores;
  profile.layer_errors[names.task] = {{1, 3}, 10, {4, 16}, {2, .5, 5, 1}};
  profile.budgets[names.method][8] = {9, 9, 7, 7};
  return profile;
}

}  // namespace kvcal::test
