// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/params.hpp"

#include <gtest/gtest.h>

namespace kvcal {
namespace {

struct Example {
  int64_t window_tokens = 32;
  double weight = 0.5;
  std::string pool = "avg";
  std::vector<double> depths = {0.5};
  template <class Visitor>
  void visit(Visitor& v) {
    v.field("window_tokens", window_tokens, at_least(1), "window");
    v.field("weight", weight, between(0, 1), "weight");
    v.field("pool", pool, one_of({"avg", "max"}), "pool");
    v.field("depths", depths, between(0, 1), "depths");
  }
};

ParamMap one(const std::string& key, ParamValue value) {
  return {{key, {std::move(value), "a.yaml:3"}}};
}

std::string error_of(const ParamMap& map) {
  try {
    read_params<Example>(map);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::config);
    return error.what();
  }
  return "no error";
}

TEST(Params, MissingKeysKeepDefaultsAndPresentOnesReplaceThem) {
  const auto params = read_params<Example>(one("window_tokens", int64_t{8}));
  EXPECT_EQ(params.window_tokens, 8);
  EXPECT_EQ(params.pool, "avg");
}

TEST(Params, AnErrorNamesPlaceValueAndNeed) {
  EXPECT_EQ(error_of(one("window_tokens", int64_t{0})), "a.yaml:3: window_tokens = 0, need >= 1");
  EXPECT_EQ(error_of(one("window_tokens", std::string("x"))),
            "a.yaml:3: window_tokens = x, need a whole number");
  EXPECT_EQ(error_of(one("pool", std::string("mx"))),
            "a.yaml:3: pool = mx, need one of avg, max, did you mean 'max'?");
  EXPECT_EQ(error_of(one("depths", std::vector<double>{0.1, 2})),
            "a.yaml:3: depths = [0.1, 2], need 0 .. 1");
}

struct Pooled {
  std::string pool = "avg";
  int64_t kernel = 5;
  template <class Visitor>
  void visit(Visitor& v) {
    v.field("pool", pool, any(), "");
    v.field("kernel", kernel, any(), "", unless("pool", {"sentence", "chunk"}));
  }
};

TEST(Params, AFieldSaysBesideWhichValuesItHasNoMeaning) {
  const auto fields = list_fields<Pooled>();
  EXPECT_EQ(fields[0].unless.field, "");
  EXPECT_EQ(fields[1].unless.field, "pool");
  EXPECT_EQ(fields[1].unless.values, (std::vector<std::string>{"sentence", "chunk"}));
}

TEST(Params, UnknownKeysAreRefusedWithTheNearestName) {
  try {
    require_known_keys(one("windw_tokens", int64_t{8}), list_fields<Example>(), "snapkv");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "a.yaml:3: snapkv has no parameter 'windw_tokens', did you mean 'window_tokens'? "
                 "(known: depths, pool, weight, window_tokens)");
  }
}

}  // namespace
}  // namespace kvcal
