// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/report.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/markup.hpp"
#include "support/paths.hpp"
#include "support/report_case.hpp"

namespace kvcal {
namespace {

namespace fs = std::filesystem;

using test::bytes_of;

class Report : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove("pwned");  // what hostile_names() would make
    if (std::system("command -v gnuplot >/dev/null 2>&1") != 0)
      GTEST_SKIP() << "gnuplot is not there";
  }

  ReportRequest request_for(const test::ReportNames& names) {
    test::report_results(names).save(folder_ / "r<b>'.h5");
    test::report_profile(names).save(folder_ / "p.h5");
    return {{folder_ / "r<b>'.h5"}, folder_ / "p.h5", folder_ / "out"};
  }

  fs::path folder_ = test::scratch_dir();
};

TEST_F(Report, NeedsNothingButItself) {
  const auto outcome = write_report(request_for(test::hostile_names()));
  EXPECT_EQ(outcome.cells, 6);
  EXPECT_TRUE(outcome.notes.empty());
  const std::string page = bytes_of(outcome.page);
  EXPECT_EQ(test::markup_error(page), "");
  for (const char* part :
       {"http:", "https:", "src=\"", "@import", "url(", "<link", "<img", "<script>alert"}) {
    EXPECT_EQ(page.find(part), std::string::npos) << part;
  }
  int64_t plots = 0;
  for (const auto& entry : fs::directory_iterator(folder_ / "out" / "plots")) {
    ++plots;
    EXPECT_GT(entry.file_size(), 0u) << entry.path();
    if (entry.path().extension() == ".svg") {
      EXPECT_EQ(test::markup_error(bytes_of(entry.path())), "") << entry.path();
    }
  }
  EXPECT_EQ(plots, 2 * outcome.figures);
  EXPECT_FALSE(fs::exists("pwned")) << "a name was run";
}

TEST_F(Report, IsTheSameEachTimeAndReplacesEarlierPlots) {
  ReportRequest request = request_for({});
  const std::string first = bytes_of(write_report(request).page);
  std::ofstream(folder_ / "out" / "plots" / "old.svg") << "old";
  std::ofstream(folder_ / "out" / "mine.txt") << "mine";
  test::expect_error(Kind::input, "out: is not empty; use --force", [&] { write_report(request); });
  request.mode = OutputMode::force;
  EXPECT_EQ(bytes_of(write_report(request).page), first);
  EXPECT_FALSE(fs::exists(folder_ / "out" / "plots" / "old.svg"));
  EXPECT_TRUE(fs::exists(folder_ / "out" / "mine.txt")) << "what is not ours stays";
}

TEST_F(Report, AnUnusableOutputIsToldBeforeAnythingIsDrawn) {
  ReportRequest request = request_for({});
  request.output = folder_ / "p.h5";
  test::expect_error(Kind::input, "p.h5: is a file, need a folder", [&] { write_report(request); });
  request.output = folder_ / "p.h5" / "below";
  test::expect_error(Kind::input, "cannot be made: Not a directory",
                     [&] { write_report(request); });
}

}  // namespace
}  // namespace kvcal
