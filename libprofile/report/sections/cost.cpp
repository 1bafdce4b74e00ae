// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "kvcal/profile/format.hpp"
#include "report/field_table.hpp"
#include "report/html.hpp"
#include "report/panel.hpp"
#include "report/section.hpp"

namespace kvcal {
namespace {

using namespace report;

constexpr double kMebibyte = 1024.0 * 1024.0;

struct Span {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    if (std::isnan(value)) return;
    low = std::min(low, value), high = std::max(high, value);
  }
  /// One text where both ends read the same.
  template <class Format>
  std::string text(Format&& format) const {
    if (low > high) return "-";
    const std::string a = format(low), b = format(high);
    return a == b ? a : a + " to " + b;
  }
};

struct Cost {
  Span share, kept, prefill, speed;
  void add(const Cell& cell) {
    share.add(100 * cell.budget_fraction), kept.add(cell.kept_bytes);
    prefill.add(cell.prefill_s), speed.add(cell.decode_tokens_per_s);
  }
};

void add_row(HtmlTable& table, const std::string& budget, const Cost& cost) {
  const auto digits = [](int count) {
    return [count](double value) { return fmt::format("{:.{}f}", value, count); };
  };
  table.add({{budget, {}, ""},
             {cost.share.text(digits(1)), cost.share.high, ""},
             {cost.kept.text(format_bytes), cost.kept.high, ""},
             {cost.prefill.text(digits(2)), cost.prefill.high, ""},
             {cost.speed.text(digits(1)), cost.speed.high, ""}});
}

/// A row per budget, over methods: those differ where a method keeps another number than asked.
std::string table_of(const Panel& panel) {
  HtmlTable table({"budget", "share (%)", "kept", "prefill (s)", "decode (tokens/s)"});
  std::vector<std::pair<std::string, Cost>> costs;
  for (const auto* cell : panel.variants) {
    auto found = std::find_if(costs.begin(), costs.end(),
                              [&](const auto& c) { return c.first == cell->budget; });
    if (found == costs.end()) found = costs.insert(found, {cell->budget, {}});
    found->second.add(*cell);
  }
  if (panel.full != nullptr)
    costs.insert(costs.begin(), {"full", {}}), costs[0].second.add(*panel.full);
  for (const auto& [budget, cost] : costs) add_row(table, budget, cost);
  return table.html();
}

/// Of variants that ran alone (kv-eval --measure-latency).
void add_latency(Section& section, const std::vector<LatencyRecord>& latency) {
  static constexpr std::array<std::string_view, 3> kInVariant{"method", "budget", "mask"};
  std::vector<FieldRow> rows;
  for (const auto& record : latency) {
    FieldRow row(variant_name(record), record.method, kInVariant);
    LatencyRecord::fields(record, row);
    rows.push_back(std::move(row));
  }
  if (rows.empty()) return;
  section.add(heading("One variant alone", "median of the repeats, and their ends"));
  section.add(field_table("variant", rows));
}

Section make(const ReportData& data) {
  Section section;
  for (const auto& panel : panels_of(data.cells)) {
    if (panel.variants.empty()) continue;
    CurveChart chart;
    chart.name = figure_name("speed", panel);
    chart.title = fmt::format("{}   (n = {})", panel.title(), panel.samples());
    chart.alt = "Decode speed versus kept bytes, " + panel.title();
    chart.x_label = "kept KV cache (MiB a prompt, log scale)";
    chart.y_label = "decoded tokens per second";
    chart.curves = curves_of(panel, data.styles, [](const Cell& cell) {
      return CurvePoint{cell.kept_bytes / kMebibyte, cell.decode_tokens_per_s};
    });
    if (panel.full != nullptr && panel.full->decode_tokens_per_s > 0) {
      chart.reference = {"full cache", panel.full->decode_tokens_per_s};
    }
    section.add("<div class=\"pair\">\n");
    section.add(draw_curves(chart));
    section.add(table_of(panel) + "</div>\n");
  }
  add_latency(section, data.results.latency);
  return section;
}

}  // namespace

extern const SectionInfo section_cost = {
    "cost",
    60,
    "Memory and time",
    "Bytes are those of the entries really kept, a mean over prompts. All variants of a prompt "
    "decode as "
    "one batch and share each step's time, so speeds rank variants of one run but are no serving "
    "speeds; "
    "prefill is the same for all, without the tokens taken over from the prompt before.",
    "",
    make};

}  // namespace kvcal
