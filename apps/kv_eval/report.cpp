// SPDX-License-Identifier: Apache-2.0
#include "kv_eval/report.hpp"

#include <algorithm>

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

/// The budget has a column of its own.
std::string method_name(const Cell& cell) {
  return cell.budget == "full" ? variant_name(cell) : cell.method;
}

}  // namespace

std::string as_table(const Results& results, const std::vector<Cell>& cells) {
  const bool has_parsed = std::any_of(cells.begin(), cells.end(),
                                      [](const Cell& cell) { return cell.parsed.has_value(); });
  std::vector<std::string> columns = {
      "<task",   "<method",      "<visibility", "budget", "tokens", "kept",
      "of full", "share",        "n",           "whole",  "score",  "95% interval",
      "to full", "its interval", "KL",          "top-1",  "NLL",    "tok/s"};
  if (has_parsed) columns.emplace_back("parsed");
  Table table(columns);
  for (const auto& cell : cells) {
    const bool is_full = cell.budget == "full";
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
        is_full ? "" : signed_number(cell.paired_delta),
        is_full || !cell.paired_ci_low ? ""
                                       : format_interval(*cell.paired_ci_low, *cell.paired_ci_high),
        number(cell.kl, 3),
        number(cell.top1_agreement, 2),
        number(cell.answer_nll, 2),
        fmt::format("{:.1f}", cell.decode_tokens_per_s)};
    if (has_parsed) row.push_back(number(cell.parsed, 2));
    table.add(row);
  }
  return table.text() + needle_heatmaps(results);
}

std::string describe_plan(const EvalPlan& plan, const ModelConfig& model, int64_t element_bytes) {
  const MemoryPlan memory = predict_memory(plan, model, element_bytes);
  const auto bytes = [](int64_t count) { return format_bytes(static_cast<double>(count)); };
  return fmt::format(
      "plan:\n  prompts: {}\n  variants: {}\n  prompt_tokens: {}\n  longest_prompt: {}\n"
      "memory:  # at {} bytes a number\n  weights: {}\n  prompt: {}\n  statistics: {}\n"
      "  activations: {}\n  variants: {}\n  in_all: {}\n  one_variant_at_a_time: {}\n",
      plan.samples, plan.variants.size(), plan.prompt_tokens, plan.longest_prompt, element_bytes,
      bytes(memory.weights), bytes(memory.prompt), bytes(memory.statistics),
      bytes(memory.activations), bytes(memory.variants), bytes(memory.total()),
      bytes(memory.least()));
}

std::string list_methods() {
  Table table({"<method", "<scorer", "<allocator", "<selector", "<summary"});
  for (const auto& name : known_methods()) {
    const auto method = load_method(name);
    table.add(
        {name, method.scorer_name, method.allocator_name, method.selector_name, method.summary});
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
