// SPDX-License-Identifier: Apache-2.0
#include "kv_report/report.hpp"

#include "kvcal/profile/report.hpp"
#include "shared/app.hpp"

namespace kvcal {

void add_report_flags(CLI::App& app, ReportFlags& flags) {
  app.add_option("results", flags.results, "what kv-eval --output wrote; several of one model")
      ->required();
  app.add_option("--profile", flags.profile,
                 "what srh-identify and layer-budget wrote: adds heads and layers");
  app.add_option("--output", flags.output, "folder to write, made if absent")->required();
  app.add_option("--samples", flags.samples, "shown with all predictions, of each task; 0 = none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_flag("--force", flags.is_force, "write into a folder that is not empty");
  app.add_flag("-q,--quiet", flags.is_quiet, "print nothing but errors");
}

int report(const ReportFlags& flags) {
  ReportRequest request;
  request.results.assign(flags.results.begin(), flags.results.end());
  request.profile = flags.profile;
  request.output = flags.output;
  request.mode = flags.is_force ? OutputMode::force : OutputMode::fresh;
  request.samples_per_task = flags.samples;
  const auto outcome = write_report(request);
  if (!flags.is_quiet) {
    print_result(fmt::format("wrote {}: {} cells, {} plots\n", outcome.page.string(), outcome.cells,
                             outcome.figures));
  }
  return kDone;
}

}  // namespace kvcal
