// SPDX-License-Identifier: Apache-2.0
#include "report/markdown.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kvcal/profile/format.hpp"
#include "report/panel.hpp"
#include "report/text/escape.hpp"

namespace kvcal::report {
namespace {

std::string optional_number(const std::optional<double>& value, const char* format) {
  return value ? fmt::format(fmt::runtime(format), *value) : "-";
}

std::string row(const Cell& cell) {
  const bool is_baseline = cell.budget == "full" && !is_masked(cell.mask);
  return fmt::format("| {} | {:.1f}% | {} | {} | {} | {} | {} | {} | {} |\n",
                     escape_markdown(variant_name(cell)), 100 * cell.budget_fraction,
                     format_bytes(cell.kept_bytes), cell.n, format_score(cell.score),
                     format_interval(cell.ci_low, cell.ci_high),
                     is_baseline ? "" : optional_number(cell.paired_delta, "{:+.3f}"),
                     optional_number(cell.kl, "{:.3f}"),
                     cell.kl_ci_low && cell.kl_ci_high && !is_baseline
                         ? fmt::format("{:.3f} .. {:.3f}", *cell.kl_ci_low, *cell.kl_ci_high)
                         : "");
}

std::string table(const Panel& panel) {
  std::string text = fmt::format(
      "\n**{}** ({})\n\n| variant | share | kept | n | score | 95% interval | to full | KL | its "
      "interval |\n"
      "| --- | ---: | ---: | ---: | ---: | :---: | ---: | ---: | :---: |\n",
      escape_markdown(panel.title()), escape_markdown(panel.metric));
  if (panel.full != nullptr) text += row(*panel.full);
  for (const auto* cell : panel.variants) text += row(*cell);
  for (const auto* cell : panel.masked) text += row(*cell);
  return text;
}

}  // namespace

std::string make_summary(const ReportData& data) {
  const auto& provenance = data.results.provenance;
  std::string text =
      fmt::format("### KV-cache compression of {}\n", escape_markdown(data.results.model.name));
  for (const auto& panel : panels_of(data.cells)) text += table(panel);
  text += fmt::format(
      "\nMean score with its 95% bootstrap interval over n samples; `to full`: paired difference "
      "to "
      "the full cache; `KL`: nats a token, from the full cache's distribution.\n{}, weights "
      "`{}`.\n",
      escape_markdown(
          fmt::format("{}, {} on {}", provenance.tool, provenance.dtype, provenance.device)),
      data.results.model.weights_sha256.substr(0, 12));
  return text;
}

}  // namespace kvcal::report
