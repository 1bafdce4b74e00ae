// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/method.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/profile.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {
namespace fs = std::filesystem;

class MethodFile : public testing::Test {
 protected:
  Method load(const std::string& text) const {
    std::ofstream(file_, std::ios::binary) << text;
    return load_method(file_.string());
  }
  std::string error_of(const std::string& text) const {
    try {
      load(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Kind::config);
      std::string message = error.what();
      if (message.starts_with(file_.string())) message.replace(0, file_.string().size(), "a.yaml");
      return message;
    }
    return "no error";
  }

  fs::path file_ = test::scratch_dir() / "a.yaml";
};

TEST_F(MethodFile, WithoutScorerNothingIsCut) {
  const Method method = load("name: full\nsummary: keeps every token\n");
  EXPECT_TRUE(method.is_full());
  EXPECT_EQ(method.needs().window_tokens, 0);
  EXPECT_EQ(method.resolved(), "name: full\n");
}

TEST_F(MethodFile, ParametersReachTheScorerAndTheRestIsDefault) {
  const Method method = load(
      "name: mine\nsummary: s\nscorer: snapkv\nallocator: uniform\nparams:\n  window_tokens: 5\n");
  EXPECT_FALSE(method.is_full());
  EXPECT_EQ(method.needs().window_tokens, 5);
  const std::string resolved = method.resolved();
  EXPECT_NE(resolved.find(
                "scorer: snapkv\nallocator: uniform\nselector: top\ncompactor: gather\nparams:\n"),
            std::string::npos);
  EXPECT_NE(resolved.find("  window_tokens: 5\n"), std::string::npos);
  // The resolved text is itself a method file that says the same.
  EXPECT_EQ(load(resolved + "summary: s\n").resolved(), resolved);
}

TEST_F(MethodFile, AParameterOfTwoPartsHasOneDefault) {
  const Method method = load("name: a\nsummary: b\nscorer: snapkv\nallocator: pyramid\n");
  const auto text = std::string("window_tokens=32");  // the scorer's; the allocator's own is 8
  EXPECT_NE(method.scorer_key.find(text), std::string::npos) << method.scorer_key;
  EXPECT_NE(method.allocator_key.find(text), std::string::npos) << method.allocator_key;
}

TEST_F(MethodFile, ACompactorAndChunksAreNamedBesideTheOtherParts) {
  const std::string text =
      "name: a\nsummary: b\nscorer: reference_attention\nallocator: uniform\n"
      "compactor: attention_matching\nchunk_tokens: 64\nparams:\n  queries_per_head: 9\n";
  const Method method = load(text);
  EXPECT_EQ(method.chunk_tokens, 64);
  EXPECT_EQ(method.bias_bytes(), 4);
  EXPECT_EQ(method.needs().repeat_queries, 9);
  EXPECT_EQ(load(method.resolved() + "summary: s\n").resolved(), method.resolved());
  EXPECT_EQ(load(text + "  weights: none\n").bias_bytes(), 0);
}

TEST_F(MethodFile, WhatCannotBeChunkedIsRefused) {
  const std::string head = "name: a\nsummary: b\nscorer: snapkv\nallocator: uniform\n";
  EXPECT_EQ(error_of(head + "chunk_tokens: 64\n"),
            "a.yaml:5: chunk_tokens, but method a looks at the whole prompt; only methods of "
            "reference queries can be chunked");
  EXPECT_EQ(error_of(head + "chunk_tokens: 1.5\n"),
            "a.yaml:5: chunk_tokens = 1.5, need a whole number >= 1");
  EXPECT_EQ(error_of(head + "compactor: gathr\n").substr(0, 55),
            "a.yaml:5: no compactor 'gathr', did you mean 'gather'? ");
}

TEST_F(MethodFile, MistakesAreErrorsWithTheirLine) {
  EXPECT_EQ(error_of("name: a\nsummary: b\nallocator: uniform\n"),
            "a.yaml:3: allocator without a scorer, need `scorer:` too or neither");
  EXPECT_EQ(error_of("name: a\nsummary: b\nparams: {x: 1}\n"),
            "a.yaml:3: params without a scorer, need `scorer:` too or neither");
  EXPECT_EQ(error_of("name: a\nsummary: b\nscorer: snapkv\n"),
            "a.yaml: the key 'allocator' is missing");
  EXPECT_EQ(error_of("name: a\nsummary: b\nscorrer: snapkv\n").substr(0, 54),
            "a.yaml:3: unknown key 'scorrer', did you mean 'scorer'");
  EXPECT_EQ(error_of("name: a\nsummary: b\nscorer: snapvk\nallocator: uniform\n").substr(0, 10),
            "a.yaml:3: ");
  const std::string head = "name: a\nsummary: b\nscorer: snapkv\nallocator: uniform\nparams:\n";
  EXPECT_EQ(error_of(head + "  windw_tokens: 3\n").substr(0, 84),
            "a.yaml:6: method a has no parameter 'windw_tokens', did you mean 'window_tokens'? (k");
  EXPECT_EQ(error_of(head + "  window_tokens: -1\n").substr(0, 37),
            "a.yaml:6: window_tokens = -1, need >=");
}

TEST(Methods, EveryMethodInConfigsLoadsUnderItsOwnName) {
  ASSERT_FALSE(known_methods().empty());
  for (const std::string& name : known_methods()) {
    const Method method = load_method(name);
    EXPECT_EQ(method.name, name);
    EXPECT_FALSE(method.summary.empty()) << name;
  }
}

TEST(Methods, AnUnknownNameIsAnErrorThatListsTheKnownOnes) {
  try {
    load_method("snapvk");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::config);
    const std::string message = error.what();
    EXPECT_TRUE(message.starts_with("unknown method 'snapvk', did you mean 'snapkv'? (known: "))
        << message;
  }
}

/// snapkv with windows of 8 and 16, tuned at 60 and 240 tokens.
Profile tuned_profile() {
  Profile profile;
  for (const auto& [window, tokens] : {std::pair(8, 60.0), {16, 240.0}}) {
    Selection setting;
    setting.method = fmt::format(
        "name: tuned\nscorer: snapkv\nallocator: uniform\nparams: {{window_tokens: {}}}\n", window);
    setting.budget_tokens = tokens;
    profile.selections["snapkv"].push_back(setting);
  }
  return profile;
}

TEST(Methods, ATunedMethodTakesTheSettingOfTheNearestBudgetByRatio) {
  Method method = load_method("snapkv_tuned");
  take_selection(method, tuned_profile());
  EXPECT_EQ(method.at(60).needs().window_tokens, 8);
  EXPECT_EQ(method.at(1).needs().window_tokens, 8);
  EXPECT_EQ(method.at(120).needs().window_tokens, 8) << "as far from both: the smaller one";
  EXPECT_EQ(method.at(121).needs().window_tokens, 16) << "nearer to 60 by difference";
  EXPECT_EQ(method.at(9999).needs().window_tokens, 16);
  EXPECT_EQ(method.at(60).name, "snapkv_tuned");
  EXPECT_EQ(method.needs().window_tokens, 16) << "whatever is asked of it";
  EXPECT_TRUE(method.is_exact());
  const std::string text = method.resolved();
  EXPECT_NE(text.find("tuned_at_tokens: 60\n"), std::string::npos) << text;
  EXPECT_NE(text.find("tuned_at_tokens: 240\n"), std::string::npos) << text;
}

TEST(Methods, ATunedMethodOfAnOlderProfileHasOneSettingForAllBudgets) {
  Profile profile = tuned_profile();
  profile.selections["snapkv"].resize(1);
  profile.selections["snapkv"][0].budget_tokens = 0;
  Method method = load_method("snapkv_tuned");
  take_selection(method, profile);
  EXPECT_EQ(method.at(1).needs().window_tokens, 8);
  EXPECT_EQ(method.at(9999).needs().window_tokens, 8);
}

TEST(Methods, OneThatIsNotTunedIsItselfAtEveryBudget) {
  Method method = load_method("snapkv");
  take_selection(method, tuned_profile());
  EXPECT_EQ(&method.at(60), &method);
}

}  // namespace
}  // namespace kvcal
