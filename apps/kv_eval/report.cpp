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

std::string number(const std::optional<double>& value, int digits) {
  return value ? fmt::format("{:.{}f}", *value, digits) : "-";
}

/// The budget has a column of its own.
std::string method_name(const Cell& cell) {
  return cell.budget == "full" ? variant_name(cell) : cell.method;
}

}  // namespace

std::string as_table(const Results& results, const std::vector<Cell>& cells) {
  Table table({"<task", "<method", "<visibility", "budget", "tokens", "kept", "of full", "share",
               "n", "whole", "score", "95% interval", "to full", "its interval", "KL", "top-1",
               "NLL", "tok/s"});
  for (const auto& cell : cells) {
    const bool is_full = cell.budget == "full";
    // "~": the method itself keeps another number of entries than asked.
    const std::string share =
        fmt::format("{}{:.1f}%", cell.is_exact ? "" : "~", 100 * cell.budget_fraction);
    table.add({cell.task, method_name(cell), cell.visibility, cell.budget,
               fmt::format("{:.0f}", cell.budget_tokens), format_bytes(cell.kept_bytes),
               format_bytes(cell.full_bytes), share, std::to_string(cell.n),
               std::to_string(cell.uncompressed), format_score(cell.score),
               format_interval(cell.ci_low, cell.ci_high),
               is_full ? "" : signed_number(cell.paired_delta),
               is_full || !cell.paired_ci_low
                   ? ""
                   : format_interval(*cell.paired_ci_low, *cell.paired_ci_high),
               number(cell.kl, 3), number(cell.top1_agreement, 2), number(cell.answer_nll, 2),
               fmt::format("{:.1f}", cell.decode_tokens_per_s)});
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
  Table table({"<method", "<scorer", "<allocator", "<selector", "<compactor", "<summary"});
  for (const auto& name : known_methods()) {
    const auto method = load_method(name);
    table.add({name, method.scorer_name, method.allocator_name, method.selector_name,
               method.compactor_name, method.summary});
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
