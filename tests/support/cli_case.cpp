// SPDX-License-Identifier: Apache-2.0
#include "support/cli_case.hpp"

#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "kvcal/compress/error.hpp"
#include "support/paths.hpp"

namespace kvcal::test {
namespace fs = std::filesystem;
namespace {

using Strings = std::vector<std::string>;

Strings one_or_many(const YAML::Node& node) {
  if (node.IsScalar()) return {node.as<std::string>()};
  return node.as<Strings>();
}

/// `golden`, `empty`, a list of sentences, or {contains: [...], lacks: [...]}.
StreamDemand read_demand(const YAML::Node& node) {
  StreamDemand demand;
  if (node.IsSequence()) demand.contains = node.as<Strings>();
  if (node.IsMap()) {
    for (const auto& entry : node) {
      const auto key = entry.first.as<std::string>();
      require(key == "contains" || key == "lacks", Kind::config,
              "unknown key '{}', need contains or lacks", key);
      (key == "contains" ? demand.contains : demand.lacks) = one_or_many(entry.second);
    }
  }
  if (node.IsScalar()) {
    const auto word = node.as<std::string>();
    require(word == "golden" || word == "empty", Kind::config,
            "'{}' as an output, need golden, empty or a list of sentences", word);
    demand.is_golden = word == "golden";
    demand.is_empty = word == "empty";
  }
  return demand;
}

void read_key(CliCase& test, const std::string& key, const YAML::Node& value) {
  if (key == "setup") {
    test.setup = one_or_many(value);
  } else if (key == "command") {
    test.is_shell = value.IsScalar();
    test.command =
        test.is_shell ? Strings{"bash", "-c", value.as<std::string>()} : value.as<Strings>();
  } else if (key == "check") {
    test.check = one_or_many(value);
  } else if (key == "environment") {
    test.environment = value.as<std::map<std::string, std::string>>();
  } else if (key == "stdin") {
    test.stdin_text = value.as<std::string>();
  } else if (key == "exit") {
    test.exit_code = value.as<int>();
  } else if (key == "timeout_seconds") {
    test.timeout_seconds = value.as<int>();
  } else if (key == "needs_model") {
    test.needs_model = value.as<bool>();
  } else if (key == "needs") {
    test.needs = value.as<std::string>();
  } else if (key == "stdout") {
    test.stdout_demand = read_demand(value);
  } else if (key == "stderr") {
    test.stderr_demand = read_demand(value);
  } else {
    fail(Kind::config,
         "unknown key '{}' (known: setup, command, check, environment, stdin, exit, "
         "timeout_seconds, needs_model, needs, stdout, stderr)",
         key);
  }
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; !from.empty() && (at = text.find(from, at)) != std::string::npos;) {
    text.replace(at, from.size(), to);
    at += to.size();
  }
  return text;
}

std::string expanded(std::string text, const Places& places) {
  for (const auto& [name, path] : places) text = replaced(std::move(text), "$" + name, path);
  return text;
}

/// Paths become names again, so that a golden file is the same on every machine. $SOURCE is the
/// beginning of others and goes last.
std::string anonymous(std::string text, const Places& places) {
  for (const auto& [name, path] : places) {
    if (name != "SOURCE") text = replaced(std::move(text), path, "$" + name);
  }
  return replaced(std::move(text), places.at("SOURCE"), "$SOURCE");
}

std::string compare_golden(const fs::path& path, const std::string& text) {
  if (std::getenv("KVCAL_UPDATE_GOLDEN") != nullptr) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return "";
  }
  std::ostringstream expected;
  expected << std::ifstream(path, std::ios::binary).rdbuf();
  if (expected.str() == text) return "";
  std::istringstream want(expected.str()), got(text);
  std::string want_line, got_line;
  int line = 0;
  bool is_more = true;
  do {
    ++line;
    const bool has_want = static_cast<bool>(std::getline(want, want_line));
    const bool has_got = static_cast<bool>(std::getline(got, got_line));
    is_more = has_want || has_got;
    if (!has_want) want_line = "(nothing)";
    if (!has_got) got_line = "(nothing)";
  } while (is_more && want_line == got_line);
  return fmt::format("differs from {} at line {}:\n  expected {}\n  got      {}\n",
                     path.filename().string(), line, want_line, got_line);
}

std::string unmet(const StreamDemand& demand, const std::string& stream, const std::string& text,
                  const fs::path& golden) {
  std::string complaints;
  for (const auto& sentence : demand.contains) {
    if (text.find(sentence) == std::string::npos) {
      complaints += fmt::format("{} lacks '{}'\n", stream, sentence);
    }
  }
  for (const auto& sentence : demand.lacks) {
    if (text.find(sentence) != std::string::npos) {
      complaints += fmt::format("{} contains '{}'\n", stream, sentence);
    }
  }
  if (demand.is_empty && !text.empty()) complaints += fmt::format("{} is not empty\n", stream);
  if (demand.is_golden) {
    const std::string difference = compare_golden(golden, text);
    if (!difference.empty()) complaints += fmt::format("{} {}", stream, difference);
  }
  return complaints;
}

/// Runs bash lines; the first that fails is told with what it printed.
std::string run_lines(Command command, const Strings& lines, const char* what) {
  for (const auto& line : lines) {
    command.arguments = {"bash", "-e", "-o", "pipefail", "-c", line};
    const Outcome outcome = run(command);
    if (outcome.exit_code != 0) {
      return fmt::format("{} failed with exit code {}: {}\n{}{}", what, outcome.exit_code, line,
                         outcome.stdout_text, outcome.stderr_text);
    }
  }
  return "";
}

Outcome run_command(Command command, const CliCase& test, const Places& places) {
  for (const auto& argument : test.command) {
    command.arguments.push_back(test.is_shell ? argument : expanded(argument, places));
  }
  command.stdin_text = test.stdin_text;
  return run(command);
}

}  // namespace

CliCase load_cli_case(const fs::path& path) {
  CliCase test;
  test.name = path.stem().string();
  try {
    const YAML::Node root = YAML::LoadFile(path.string());
    require(root.IsMap(), Kind::config, "need a map of keys");
    for (const auto& entry : root) read_key(test, entry.first.as<std::string>(), entry.second);
    require(!test.command.empty(), Kind::config, "no command");
  } catch (const YAML::Exception& error) {
    fail(Kind::config, "{}:{}: {}", path.filename().string(), error.mark.line + 1, error.msg);
  } catch (const Error& error) {
    fail(Kind::config, "{}: {}", path.filename().string(), error.what());
  }
  return test;
}

Places places(const fs::path& programs, const fs::path& scratch) {
  const fs::path source = source_dir();
  return {
      {"BIN", programs.string()},    {"DATA", (source / "data").string()},
      {"MODEL", smollm2().string()}, {"SCRATCH", scratch.string()},
      {"SOURCE", source.string()},   {"TINY", (source / "tests/parity/model/tiny_llama").string()}};
}

std::optional<std::string> absent_place(const CliCase& test, const Places& places) {
  if (test.needs_model && places.at("MODEL").empty()) return "the model SmolLM2-135M-Instruct";
  const Command needs{.arguments = {"bash", "-c", test.needs}, .environment = places};
  if (!test.needs.empty() && run(needs).exit_code != 0) {
    return "`" + test.needs + "`";
  }
  std::string text;
  for (const auto* part : {&test.setup, &test.command, &test.check}) {
    for (const auto& line : *part) text += line + "\n";
  }
  if (text.find("$TINY") != std::string::npos && !fs::exists(places.at("TINY"))) {
    return "the tiny model " + places.at("TINY");
  }
  return std::nullopt;
}

std::string run_cli_case(const CliCase& test, const Places& places, const fs::path& goldens) {
  Command command;
  command.environment = places;
  for (const auto& [name, value] : test.environment) {
    command.environment[name] = expanded(value, places);
  }
  command.directory = places.at("SCRATCH");
  command.timeout_seconds = test.timeout_seconds;
  std::string complaints = run_lines(command, test.setup, "setup");
  if (!complaints.empty()) return complaints;

  const Outcome outcome = run_command(command, test, places);
  if (outcome.exit_code != test.exit_code) {
    complaints += fmt::format("exit code {}{}, expected {}\n", outcome.exit_code,
                              outcome.exit_code == 124 ? " (time limit)" : "", test.exit_code);
  }
  const std::string out = anonymous(outcome.stdout_text, places);
  const std::string err = anonymous(outcome.stderr_text, places);
  complaints += unmet(test.stdout_demand, "stdout", out, goldens / (test.name + ".txt"));
  complaints += unmet(test.stderr_demand, "stderr", err, goldens / (test.name + ".stderr.txt"));
  complaints += run_lines(command, test.check, "check");
  if (complaints.empty()) return "";
  return fmt::format("{}command: {}\n-- stdout:\n{}\n-- stderr:\n{}\n", complaints,
                     fmt::join(test.command, " "), out, err);
}

}  // namespace kvcal::test
