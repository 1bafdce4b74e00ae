// SPDX-License-Identifier: Apache-2.0
#include "kv_eval/report.hpp"

#include <algorithm>

#include "kvcal/profile/resources.hpp"
#include "kvcal/profile/yaml.hpp"
#include "shared/heatmap.hpp"
#include "shared/table.hpp"

namespace kvcal {
namespace {

std::string signed_number(const std::optional<double>& value) {
  return value ? fmt::format("{:+.3f}", *value) : "-";
}

}  // namespace

std::string as_table(const Results& results, const std::vector<Cell>& cells) {
  Table table({"<task", "<method", "<visibility", "budget", "tokens", "kept", "of full", "share",
               "n", "whole", "score", "95% interval", "to full", "its interval", "tok/s"});
  for (const auto& cell : cells) {
    const bool is_full = cell.budget == "full";
    table.add({cell.task, cell.method, cell.visibility, cell.budget,
               fmt::format("{:.0f}", cell.budget_tokens), format_bytes(cell.kept_bytes),
               format_bytes(cell.full_bytes), fmt::format("{:.1f}%", 100 * cell.budget_fraction),
               std::to_string(cell.n), std::to_string(cell.uncompressed), format_score(cell.score),
               format_interval(cell.ci_low, cell.ci_high),
               is_full ? "" : signed_number(cell.paired_delta),
               is_full || !cell.paired_ci_low
                   ? ""
                   : format_interval(*cell.paired_ci_low, *cell.paired_ci_high),
               fmt::format("{:.1f}", cell.decode_tokens_per_s)});
  }
  return table.text() + needle_heatmaps(results);
}

std::string describe_plan(const EvalPlan& plan, const ModelConfig& model) {
  const int64_t entry_bytes =
      plan.longest_prompt * model.layers * model.kv_heads * model.entry_bytes(2);
  return fmt::format(
      "plan:\n  prompts: {}\n  variants: {}\n  prompt_tokens: {}\n  longest_prompt: {}\n"
      "  kv_bytes_of_longest_prompt_at_2_bytes: {}\n",
      plan.samples, plan.variants.size(), plan.prompt_tokens, plan.longest_prompt, entry_bytes);
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

std::string list_tasks() {
  Table table({"<task", "<summary"});
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(resource("configs/tasks"))) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    table.add({file.stem().string(), YamlMap::load(file).optional_text("summary").value_or("")});
  }
  table.add({"jsonl:FILE", "your own prompts, one JSON object a line"});
  return table.text();
}

}  // namespace kvcal
