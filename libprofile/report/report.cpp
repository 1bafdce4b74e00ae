// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/report.hpp"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "kvcal/compress/error.hpp"
#include "report/markdown.hpp"
#include "report/page.hpp"
#include "report/plot/gnuplot.hpp"
#include "report/plot/svg.hpp"

namespace kvcal {
namespace {

namespace fs = std::filesystem;
using namespace report;

/// Makes the folders, which shows that they can be written.
void open_output(const fs::path& folder, OutputMode mode) {
  std::error_code error;
  const bool is_there = fs::exists(folder, error);
  require(!is_there || fs::is_directory(folder), Kind::input,
          "{}: is a file, need a folder for the report", folder.string());
  require(mode == OutputMode::force || !is_there || fs::is_empty(folder, error), Kind::input,
          "{}: is not empty; use --force to write into it", folder.string());
  fs::create_directories(folder / "plots", error);
  require(!error, Kind::input, "{}: cannot be made: {}", (folder / "plots").string(),
          error.message());
}

/// Those of an earlier report would look as if they belonged to this one.
void remove_plots(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto extension = entry.path().extension();
    if (extension == ".svg" || extension == ".png") fs::remove(entry.path());
  }
}

std::string read_text(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  require(stream.good(), Kind::input, "{}: cannot be read", file.string());
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Written aside and renamed.
void write_text(const fs::path& file, const std::string& text) {
  const fs::path aside = file.string() + ".tmp";
  std::ofstream stream(aside, std::ios::binary);
  stream << text;
  stream.close();
  std::error_code error;
  if (stream.good()) fs::rename(aside, file, error);
  require(stream.good() && !error, Kind::input, "{}: cannot be written", file.string());
}

}  // namespace

ReportOutcome write_report(const ReportRequest& request) {
  require_gnuplot("plots");
  ReportData data = gather(request.results, request.profile);
  data.samples_per_task = request.samples_per_task;
  const Contents contents = collect(data);
  const auto figures = contents.figures();

  open_output(request.output, request.mode);
  const fs::path plots = request.output / "plots";
  remove_plots(plots);
  draw_figures(figures, plots);
  const auto svg_of = [&](const Figure& figure) {
    return inline_svg(read_text(plots / (figure.name + ".svg")), figure);
  };
  write_text(request.output / "summary.md", make_summary(data));
  const fs::path page = request.output / "index.html";
  write_text(page, make_page(data, contents, svg_of));
  return {page, static_cast<int64_t>(figures.size()), static_cast<int64_t>(data.cells.size()),
          contents.notes};
}

}  // namespace kvcal
