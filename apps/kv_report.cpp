// SPDX-License-Identifier: Apache-2.0
// kv-report: results of kv-eval as one HTML page with plots, and a Markdown table.
#include "kv_report/report.hpp"
#include "shared/app.hpp"

int main(int argc, char** argv) {
  using namespace kvcal;
  ReportFlags flags;
  const AppInfo info{"kv-report",
                     "Makes one self-contained HTML page of results, with every plot as SVG and "
                     "PNG and a table for "
                     "pull requests.",
                     "  kv-report results.h5 --profile profile.h5 --output report\n"
                     "  kv-report niah.h5 longbench.h5 --output report --force"};
  return run_app(
      argc, argv, info, [&](CLI::App& app) { add_report_flags(app, flags); },
      [&](CLI::App&) { return report(flags); });
}
