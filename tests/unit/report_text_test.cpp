// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "report/plot/gnuplot.hpp"
#include "report/text/escape.hpp"

namespace kvcal::report {
namespace {

TEST(ReportText, HtmlHasNoMarkupFromOutside) {
  EXPECT_EQ(escape_html("<a href=\"x\">'&amp;"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;");
  EXPECT_EQ(escape_html("two\nlines\tkept"), "two\nlines\tkept");
}

TEST(ReportText, BrokenBytesAndControlsAreReplaced) {
  EXPECT_EQ(printable("a\x01"
                      "b\nc"),
            "a b c");
  EXPECT_EQ(printable("\xFF"), "\xEF\xBF\xBD");
  EXPECT_EQ(printable("\xEF\xBF\xBF"), "\xEF\xBF\xBD") << "U+FFFF is forbidden in XML";
  EXPECT_EQ(printable("\xE2\x80\xAE"), "\xEF\xBF\xBD") << "U+202E turns what follows";
  EXPECT_EQ(printable("\xC3\xA9"), "\xC3\xA9");
}

TEST(ReportText, MarkdownCellsStayCells) {
  EXPECT_EQ(escape_markdown("a|b\n<i>`x`"), "a\\|b \\<i\\>\\`x\\`");
  EXPECT_EQ(escape_markdown("@all _x_"), "\\@all \\_x\\_");
}

TEST(ReportText, GnuplotSeesOneLiteral) {
  EXPECT_EQ(gnuplot_text("niah, 5%"), "\"niah, 5%\"");
  EXPECT_EQ(gnuplot_text("'`id` \"x\\"), R"("\047\140id\140 \042x\134")");
  EXPECT_EQ(gnuplot_text("'12a1"), R"("\047\061\062a1")") << "digits behind an escape";
  EXPECT_EQ(gnuplot_text("a\nquit"), "\"a quit\"");
  EXPECT_EQ(gnuplot_tick("5% of \xC3\xA9"), "\"5%% of \xC3\xA9\"") << "no format";
}

TEST(ReportText, ShortenedTextsShowIt) {
  EXPECT_EQ(shorten("abcdef", 6), "abcdef");
  EXPECT_EQ(shorten("abcdefg", 6), "abcde\xE2\x80\xA6");
  EXPECT_EQ(shorten("\xC3\xA9\xC3\xA9\xC3\xA9", 2), "\xC3\xA9\xE2\x80\xA6")
      << "characters, not bytes";
  EXPECT_EQ(shorten_lines("a\nb", 9), "a\nb");
}

TEST(ReportText, SlugsAreFileNames) {
  EXPECT_EQ(slug("jsonl:data/My Prompts.jsonl aware"), "jsonl-data-my-prompts-jsonl-aware");
  EXPECT_EQ(slug("../../etc"), "etc");
  EXPECT_EQ(slug("\xFF<>"), "x");
}

}  // namespace
}  // namespace kvcal::report
