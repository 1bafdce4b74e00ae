// SPDX-License-Identifier: Apache-2.0
#include "kv_eval/report.hpp"

#include <algorithm>

#include "kv_eval/verdict_report.hpp"
#include "kvcal/profile/comparison.hpp"
#include "shared/heatmap.hpp"
#include "shared/table.hpp"

namespace kvcal {
namespace {

std::string signed_number(const std::optional<double>& value) {
  return value ? fmt::format("{:+.3f}", *value) : "-";
}

std::string number(const std::optional<double>& value, int digits) {
  return value ? fmt::format("{:.{}f}", *value, digits) : "-";
}

std::string interval(const std::optional<double>& low, const std::optional<double>& high) {
  return low && high ? format_interval(*low, *high) : "";
}

/// The budget has a column of its own.
std::string method_name(const Cell& cell) {
  return cell.budget == "full" ? variant_name(cell) : cell.method;
}

bool is_significant(const Cell& cell) {
  return cell.p_holm && *cell.p_holm <= kSignificance;
}

std::string outcomes(const Cell& cell) {
  return fmt::format("{}/{}/{}", cell.wins, cell.ties, cell.losses);
}

std::string cell_table(const std::vector<Cell>& cells) {
  const bool has_random =
      std::any_of(cells.begin(), cells.end(), [](const Cell& cell) { return cell.random_delta; });
  const bool has_parsed =
      std::any_of(cells.begin(), cells.end(), [](const Cell& cell) { return cell.parsed; });
  std::vector<std::string> columns = {
      "<task", "<method", "<visibility", "budget", "tokens",       "kept",    "of full",
      "share", "n",       "whole",       "score",  "95% interval", "to full", "its interval",
      "w/t/l", "KL",      "KL interval", "top-1",  "NLL",          "tok/s"};
  if (has_random) columns.insert(columns.end() - 5, "to random");
  if (has_parsed) columns.emplace_back("parsed");
  Table table(columns);
  for (const auto& cell : cells) {
    const bool is_compared = !is_full_cache(cell) && cell.paired_delta;
    // "~": the method itself keeps another number of entries than asked.
    const std::string share =
        fmt::format("{}{:.1f}%", cell.is_exact ? "" : "~", 100 * cell.budget_fraction);
    std::vector<std::string> row = {
        cell.task,
        method_name(cell),
        cell.visibility,
        cell.budget,
        fmt::format("{:.0f}", cell.budget_tokens),
        format_bytes(cell.kept_bytes),
        format_bytes(cell.full_bytes),
        share,
        std::to_string(cell.n),
        std::to_string(cell.uncompressed),
        format_score(cell.score),
        format_interval(cell.ci_low, cell.ci_high),
        is_compared ? signed_number(cell.paired_delta) + (is_significant(cell) ? "*" : " ") : "",
        is_compared ? interval(cell.paired_ci_low, cell.paired_ci_high) : "",
        is_compared ? outcomes(cell) : "",
        number(cell.kl, 3),
        is_full_cache(cell) ? "" : interval(cell.kl_ci_low, cell.kl_ci_high),
        number(cell.top1_agreement, 2),
        number(cell.answer_nll, 2),
        fmt::format("{:.1f}", cell.decode_tokens_per_s)};
    if (has_random) {
      row.insert(row.end() - 5, cell.random_delta ? signed_number(cell.random_delta) : "");
    }
    if (has_parsed) row.push_back(number(cell.parsed, 2));
    table.add(row);
  }
  return table.text();
}

/// Many comparisons, and some are called different by chance: how many stay.
std::string comparison_note(const std::vector<Cell>& cells) {
  int64_t made = 0, excluding_zero = 0, staying = 0;
  for (const auto& cell : cells) {
    if (!cell.p_value) continue;
    ++made;
    excluding_zero += cell.paired_ci_low.value_or(0) > 0 || cell.paired_ci_high.value_or(0) < 0;
    staying += is_significant(cell);
  }
  if (made == 0) return "";
  return fmt::format(
      "{} differences to the full cache: {} have an interval without 0, {} stay (*) with Holm's "
      "correction for {} comparisons\n",
      made, excluding_zero, staying, made);
}

std::string limit_notes(const std::vector<Cell>& cells) {
  std::string text, previous;
  for (const auto& cell : cells) {
    const std::string panel = cell.task + " " + cell.visibility;
    if (cell.limit.empty() || panel == previous) continue;
    previous = panel;
    text += cell.limit == kFloor
                ? fmt::format(
                      "{}: floor: the full cache itself scores at most {}, there is "
                      "nothing to lose\n",
                      panel, kFloorScore)
                : fmt::format(
                      "{}: ceiling: every compressed variant scores {} or more, there is "
                      "no room to differ\n",
                      panel, kCeilingScore);
  }
  return text;
}

std::string notes(const std::vector<Cell>& cells) {
  const std::string text = comparison_note(cells) + limit_notes(cells);
  return text.empty() ? "" : "\n" + text;
}

std::string area_table(const std::vector<Area>& areas) {
  Table table({"<task", "<method", "<visibility", "budgets", "from share", "to", "n", "area",
               "95% interval", "of full's", "its interval"});
  for (const auto& area : areas) {
    table.add({area.task, area.method, area.visibility, std::to_string(area.budgets),
               fmt::format("{:.1f}%", 100 * area.share_low),
               fmt::format("{:.1f}%", 100 * area.share_high), std::to_string(area.n),
               format_score(area.area), interval(area.ci_low, area.ci_high),
               number(area.relative_to_full, 3),
               interval(area.relative_ci_low, area.relative_ci_high)});
  }
  return table.text();
}

}  // namespace

std::string as_table(const Results& results, const Summary& summary) {
  std::string text = cell_table(summary.cells) + notes(summary.cells);
  if (!summary.areas.empty()) text += "\n" + area_table(summary.areas);
  text += needle_heatmaps(results);
  if (!results.latency.empty()) text += "\n" + latency_table(results.latency);
  if (summary.baseline) text += "\n" + baseline_table(*summary.baseline);
  if (!summary.gates.empty()) text += "\n" + gate_table(summary.gates);
  return text;
}

std::string describe_plan(const EvalPlan& plan, const ModelConfig& model, int64_t element_bytes,
                          const std::optional<Durations>& time) {
  const MemoryPlan memory = predict_memory(plan, model, element_bytes);
  const auto bytes = [](int64_t count) { return format_bytes(static_cast<double>(count)); };
  std::string text = fmt::format(
      "plan:\n  prompts: {}\n  variants: {}\n  prompt_tokens: {}\n  longest_prompt: {}\n"
      "memory:  # at {} bytes a number\n  weights: {}\n  prompt: {}\n  statistics: {}\n"
      "  activations: {}\n  compactions: {}\n  variants: {}\n  in_all: {}\n  "
      "one_variant_at_a_time: {}\n",
      plan.samples, plan.variants.size(), plan.prompt_tokens, plan.longest_prompt, element_bytes,
      bytes(memory.weights), bytes(memory.prompt), bytes(memory.statistics),
      bytes(memory.activations), bytes(memory.compactions), bytes(memory.variants),
      bytes(memory.total()), bytes(memory.least()));
  if (time) {
    text += fmt::format(
        "time:  # on this machine, as measured just now; at most, as answers end early\n"
        "  prefill: {}\n  statistics: {}\n  decoding: {}\n  fidelity: {}\n  in_all: {}\n",
        format_seconds(time->prefill), format_seconds(time->statistics),
        format_seconds(time->decoding), format_seconds(time->fidelity),
        format_seconds(time->total()));
  }
  return text;
}

std::string list_methods() {
  Table table({"<method", "<scorer", "<allocator", "<selector", "<compactor", "<summary"});
  for (const auto& name : known_methods()) {
    const auto method = load_method(name);
    table.add({name, method.scorer_name, method.allocator_name, method.selector_name,
               method.compactor_name, method.summary});
  }
  return table.text();
}

std::string list_tasks(const ParamMap& params) {
  Table table({"<task", "<summary", "<data"});
  for (const auto& task : known_tasks(params)) {
    table.add({task.name, task.summary, task.data ? task.data->text : ""});
  }
  table.add({"jsonl:FILE", "your own prompts, one JSON object a line", ""});
  table.add({"ruler:FILE", "a published file of RULER", ""});
  return table.text();
}

}  // namespace kvcal
