// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/yaml.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "kvcal/compress/error.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {
namespace fs = std::filesystem;

class Yaml : public testing::Test {
 protected:
  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ / name, std::ios::binary) << text;
    return directory_ / name;
  }
  YamlMap load(const std::string& text) const { return YamlMap::load(write("a.yaml", text)); }

  /// Message without the directory; every error of this reader is Kind::config.
  template <class Action>
  std::string error_of(Action&& action) const {
    try {
      action();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Kind::config);
      std::string text = error.what();
      const std::string prefix = directory_.string() + "/";
      for (size_t at; (at = text.find(prefix)) != std::string::npos;) text.erase(at, prefix.size());
      return text;
    }
    return "no error";
  }
  std::string load_error(const std::string& text) const {
    return error_of([&] { load(text); });
  }

  fs::path directory_ = test::scratch_dir();
};

TEST_F(Yaml, ReadsScalarsAsWrittenAndParamsByType) {
  const auto map = load(
      "name: snapkv\nversion: 1.0\nparams:\n  window: 8\n  weight: -0.5\n  pool: avg\n  is_on: "
      "true\n"
      "  depths: [0.1, 1]\n  quoted: \"8\"\n  big: 1e3\n  word: infinite\n  end: .inf\n");
  EXPECT_EQ(map.text("name"), "snapkv");
  EXPECT_EQ(map.text("version"), "1.0");
  const ParamMap params = map.params("params");
  EXPECT_EQ(params.at("window").value, ParamValue(int64_t{8}));
  EXPECT_EQ(params.at("weight").value, ParamValue(-0.5));
  EXPECT_EQ(params.at("pool").value, ParamValue(std::string("avg")));
  EXPECT_EQ(params.at("is_on").value, ParamValue(true));
  EXPECT_EQ(params.at("depths").value, ParamValue(std::vector<double>{0.1, 1}));
  EXPECT_EQ(params.at("quoted").value, ParamValue(std::string("8")));
  EXPECT_EQ(params.at("big").value, ParamValue(1000.0));
  EXPECT_EQ(params.at("word").value, ParamValue(std::string("infinite")));
  EXPECT_EQ(params.at("end").value, ParamValue(std::numeric_limits<double>::infinity()));
  EXPECT_EQ(params.at("weight").where, (directory_ / "a.yaml").string() + ":5");
  EXPECT_EQ(map.where("params"), (directory_ / "a.yaml").string() + ":3");
}

TEST_F(Yaml, KeepsTheNewlinesOfBlockAndQuotedText) {
  const auto map = load("block: |\n  one\n  two\nquoted: \"a\\n\\nb\\n\"\nkept: |+\n  x\n\n");
  EXPECT_EQ(map.text("block"), "one\ntwo\n");
  EXPECT_EQ(map.text("quoted"), "a\n\nb\n");
  EXPECT_EQ(map.text("kept"), "x\n\n");
}

TEST_F(Yaml, AMissingKeyIsNothingOrAnErrorAsAsked) {
  const auto map = load("name: a\n");
  EXPECT_EQ(map.optional_text("paper"), std::nullopt);
  EXPECT_TRUE(map.params("params").empty());
  EXPECT_EQ(error_of([&] { map.text("scorer"); }), "a.yaml: the key 'scorer' is missing");
}

TEST_F(Yaml, IncludedValuesYieldToTheIncludingFile) {
  write("base.yaml", "name: base\nscorer: snapkv\nparams:\n  window: 32\n  pool: avg\n");
  const auto map = load("include: base.yaml\nname: w8\nparams:\n  window: 8\n");
  map.require_only({"name", "scorer", "params"});
  EXPECT_EQ(map.text("name"), "w8");
  EXPECT_EQ(map.text("scorer"), "snapkv");
  EXPECT_EQ(map.params("params").at("window").value, ParamValue(int64_t{8}));
  EXPECT_EQ(map.params("params").at("pool").value, ParamValue(std::string("avg")));
  EXPECT_EQ(map.where("scorer"), (directory_ / "base.yaml").string() + ":2");
}

TEST_F(Yaml, RegressionAnIncludeThatTheSystemRefusesCannotBeRead) {
  const std::string name(300, 'x');  // longer than file systems take; found by yaml_map_fuzz
  EXPECT_EQ(load_error("name: a\ninclude: " + name + "\n"),
            "a.yaml:2: included file " + name + " cannot be read, need a YAML file");
}

TEST_F(Yaml, AnIncludeThatFailsNamesWhoAsked) {
  EXPECT_EQ(load_error("name: a\ninclude: no.yaml\n"),
            "a.yaml:2: included file no.yaml cannot be read, need a YAML file");
  EXPECT_EQ(load_error("include: a.yaml\n"), "a.yaml:1: included file a.yaml includes itself");
  write("base.yaml", "params:\n  window: 32\n");
  EXPECT_EQ(load_error("include: base.yaml\nparams: 3\n"),
            "a.yaml:2: params is a map in the included base.yaml:1, need a map");
  write("base.yaml", "params: 3\n");
  EXPECT_EQ(load_error("include: base.yaml\nparams: {x: 1}\n"),
            "a.yaml:2: params is no map in the included base.yaml:1, need the same here");
}

TEST_F(Yaml, UnknownKeysAreRefusedWithTheNearestName) {
  const auto map = load("name: a\nscorrer: b\n");
  EXPECT_EQ(error_of([&] {
              map.require_only({"name", "scorer"});
            }),
            "a.yaml:2: unknown key 'scorrer', did you mean 'scorer'? (known: name, scorer)");
}

TEST_F(Yaml, WrongShapesAreErrorsWithTheirLine) {
  EXPECT_EQ(load_error("name: [a, b]\n"),
            "a.yaml:1: name[0] = a, need a number (lists are of numbers)");
  EXPECT_EQ(load_error("params:\n  deep:\n    er: 1\n"),
            "a.yaml:2: params.deep is a map, need a scalar or a list of numbers");
  EXPECT_EQ(load_error("name: a\nname: b\n"), "a.yaml:2: name is given twice");
  EXPECT_EQ(load_error("name:\n"), "a.yaml:1: name has no value");
  EXPECT_EQ(load_error("params:\n  x: ~\n"), "a.yaml:2: x has no value");
  EXPECT_EQ(load_error("name: !thing a\n"), "a.yaml:1: tag !thing is not supported");
  EXPECT_EQ(load_error("? [a]\n: b\n"), "a.yaml:1: a key must be plain text");
  EXPECT_EQ(load_error("- a\n"), "a.yaml: need one YAML map of keys and values");
  EXPECT_EQ(load_error(""), "a.yaml: need one YAML map of keys and values");
  EXPECT_EQ(load_error("a: 1\n---\nb: 2\n"), "a.yaml: need one YAML map of keys and values");
  // yaml-cpp finds documents without end here.
  EXPECT_EQ(load_error(",ame: x\n"), "a.yaml: need one YAML map of keys and values");
  EXPECT_EQ(load_error("a: b: c\n"), "a.yaml:1: not YAML: illegal map value");
  EXPECT_EQ(error_of([&] { YamlMap::load(directory_); }).substr(directory_.string().size()),
            " cannot be read, need a YAML file");
  const auto map = load("name: 3\nparams:\n  x: 1\n");
  EXPECT_EQ(error_of([&] { map.text("params"); }),
            "a.yaml:2: params is a list or map, need one value");
  EXPECT_EQ(error_of([&] { map.params("name"); }),
            "a.yaml:1: name is not a map, need `name: value` lines below it");
}

}  // namespace
}  // namespace kvcal
