// SPDX-License-Identifier: Apache-2.0
// One test case for every tests/cli/*.yaml, and the checks of the runner itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "kvcal/compress/error.hpp"
#include "support/cli_case.hpp"
#include "support/paths.hpp"

namespace kvcal::test {
namespace fs = std::filesystem;
namespace {

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(test_file("cli"))) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class CliYaml : public testing::TestWithParam<std::string> {};

TEST_P(CliYaml, BehavesAsWritten) {
  const CliCase test = load_cli_case(test_file("cli") / (GetParam() + ".yaml"));
  const Places where = places(KVCAL_PROGRAMS_DIR, scratch_dir());
  if (const auto absent = absent_place(test, where)) GTEST_SKIP() << *absent << " is not there";
  const std::string complaints = run_cli_case(test, where, test_file("golden"));
  if (!complaints.empty()) FAIL() << complaints;
}

INSTANTIATE_TEST_SUITE_P(Cases, CliYaml, testing::ValuesIn(case_names()),
                         [](const auto& about) { return about.param; });

/// What the runner says about a case that is written here.
std::string verdict(const std::string& yaml) {
  const fs::path scratch = scratch_dir();
  std::ofstream(scratch / "case.yaml") << yaml;
  std::ofstream(scratch / "case.txt") << "first\nsecond\n";
  try {
    return run_cli_case(load_cli_case(scratch / "case.yaml"), places("/bin", scratch), scratch);
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(CliRunner, AWrongExitCodeIsToldWithCommandAndBothStreams) {
  EXPECT_EQ(verdict("command: [sh, -c, 'echo to out; echo to err >&2; exit 3']\nexit: 2\n"),
            "exit code 3, expected 2\ncommand: sh -c echo to out; echo to err >&2; exit 3\n"
            "-- stdout:\nto out\n\n-- stderr:\nto err\n\n");
}

TEST(CliRunner, ASentenceMustBeInTheStreamThatIsNamed) {
  const std::string text = verdict("command: echo here >&2\nstdout: [here]\n");
  EXPECT_NE(text.find("stdout lacks 'here'\n"), std::string::npos) << text;
  EXPECT_EQ(verdict("command: echo here >&2\nstderr: [here]\nstdout: empty\n"), "");
  EXPECT_NE(verdict("command: echo here\nstdout: empty\n"), "");
  EXPECT_NE(verdict("command: echo here\nstdout: {lacks: [here]}\n"), "");
}

TEST(CliRunner, AGoldenFileIsComparedLineByLine) {
  EXPECT_EQ(verdict("command: printf 'first\\nsecond\\n'\nstdout: golden\n"), "");
  const std::string text = verdict("command: printf 'first\\nthird\\n'\nstdout: golden\n");
  EXPECT_EQ(
      text.find("stdout differs from case.txt at line 2:\n  expected second\n  got      third\n"),
      0)
      << text;
}

TEST(CliRunner, ACommandPastItsTimeLimitIsEndedWithItsChildren) {
  const std::string text = verdict("command: sleep 30 | cat\ntimeout_seconds: 1\n");
  EXPECT_EQ(text.find("exit code 124 (time limit), expected 0\n"), 0) << text;
}

TEST(CliRunner, AProgramThatIsNotThereAndOneThatDiesAreFailures) {
  EXPECT_EQ(verdict("command: [$BIN/no-such-program]\n").find("exit code 127, expected 0\n"), 0);
  EXPECT_EQ(verdict("command: [sh, -c, 'kill -SEGV $$']\n").find("exit code 139, expected 0\n"), 0);
}

TEST(CliRunner, SetupAndChecksMustSucceed) {
  EXPECT_EQ(verdict("setup: echo text > $SCRATCH/file\ncommand: cat file\nstdout: [text]\n"
                    "check: [test -s file, cmp file $SCRATCH/file]\n"),
            "");
  EXPECT_EQ(verdict("setup: 'false | true'\ncommand: 'true'\n"),
            "setup failed with exit code 1: false | true\n");
  EXPECT_EQ(
      verdict("command: 'true'\ncheck: test -e absent\n").find("check failed with exit code 1"), 0);
}

TEST(CliRunner, AMistakeInACaseIsNamed) {
  EXPECT_EQ(verdict("command: ls\nexitt: 1\n"),
            "case.yaml: unknown key 'exitt' (known: setup, command, check, environment, stdin, "
            "exit, timeout_seconds, needs_model, needs, stdout, stderr)");
  EXPECT_EQ(verdict("exit: 1\n"), "case.yaml: no command");
  EXPECT_EQ(verdict("command: ls\nstdout: nothing\n"),
            "case.yaml: 'nothing' as an output, need golden, empty or a list of sentences");
  EXPECT_EQ(verdict("command: ls\nexit: none\n").find("case.yaml:2: "), 0);
}

}  // namespace
}  // namespace kvcal::test
