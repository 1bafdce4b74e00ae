// SPDX-License-Identifier: Apache-2.0
// Behaviour on a small random Llama; its logits are compared with transformers' in
// parity/model_test.cpp.
#include "kvcal/profile/model.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <limits>

#include "../../libprofile/model/safetensors.hpp"
#include "kvcal/compress/error.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {
namespace fs = std::filesystem;

// Sums in another order; f32, logits of size 1 to 10.
constexpr double kTolerance = 2e-5;

fs::path tiny() {
  return test::test_file("parity/model/tiny_llama");
}

Model load_f32(int64_t chunk_tokens = 2048) {
  return Model::load(tiny(), {.dtype = "f32", .prefill_chunk_tokens = chunk_tokens});
}

std::vector<int64_t> some_ids(int64_t count) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back((i * 37 + 11) % 384);
  return ids;
}

double worst_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

template <class Action>
void expect_error(Kind kind, const std::string& sentence, const Action& action) {
  try {
    action();
    FAIL() << "no error, expected: " << sentence;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    EXPECT_EQ(std::string(error.what()), sentence);
  }
}

TEST(Model, PrefillInChunksIsPrefillAtOnce) {
  const auto ids = some_ids(50);
  const auto whole = load_f32();
  auto whole_cache = whole.make_cache(50);
  const auto expected = whole.forward(ids, whole_cache, LogitsWanted::all);
  for (int64_t chunk : {1, 7, 25, 49}) {
    const auto model = load_f32(chunk);
    auto cache = model.make_cache(50);
    const auto logits = model.forward(ids, cache, LogitsWanted::all);
    EXPECT_LT(worst_difference(logits, expected), kTolerance) << "chunk of " << chunk;
    EXPECT_LT(worst_difference(cache.tail_keys(2), whole_cache.tail_keys(2)), kTolerance);
    EXPECT_LT(worst_difference(cache.tail_values(2), whole_cache.tail_values(2)), kTolerance);
  }
}

TEST(Model, DecodingWithACacheIsTheFullForward) {
  const auto ids = some_ids(20);
  const auto model = load_f32();
  auto whole_cache = model.make_cache(20);
  const auto expected = model.forward(ids, whole_cache, LogitsWanted::all);
  auto cache = model.make_cache(20);
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto logits = model.forward({&ids[i], 1}, cache, LogitsWanted::last);
    EXPECT_LT(worst_difference(logits[0], expected[static_cast<int64_t>(i)]), kTolerance)
        << "token " << i;
  }
}

TEST(Model, AnUncutPrefixIsTheSameAsTheTail) {
  const auto ids = some_ids(30);
  const std::span<const int64_t> all(ids);
  const auto model = load_f32();
  auto whole_cache = model.make_cache(30);
  const auto expected = model.forward(ids, whole_cache, LogitsWanted::last);
  auto prompt_cache = model.make_cache(18);
  model.forward(all.first(18), prompt_cache, LogitsWanted::none);
  auto sealed = prompt_cache.sealed(12);
  const auto logits = model.forward(all.subspan(18), sealed, LogitsWanted::last);
  EXPECT_LT(worst_difference(logits, expected), kTolerance);
  EXPECT_EQ(sealed.next_position(), 30);
}

TEST(Model, LogitsAreComputedOfThePositionsWanted) {
  const auto ids = some_ids(9);
  const auto model = load_f32(4);
  const auto logits_of = [&](LogitsWanted wanted) {
    auto cache = model.make_cache(9);
    return model.forward(ids, cache, wanted);
  };
  const auto all = logits_of(LogitsWanted::all);
  EXPECT_EQ(all.sizes(), (std::vector<int64_t>{9, 384}));
  EXPECT_EQ(all.scalar_type(), at::kFloat);
  EXPECT_EQ(logits_of(LogitsWanted::none).sizes(), (std::vector<int64_t>{0, 384}));
  const auto last = logits_of(LogitsWanted::last);
  EXPECT_EQ(last.sizes(), (std::vector<int64_t>{1, 384}));
  EXPECT_LT(worst_difference(last[0], all[8]), kTolerance);
}

/// Checks each step against attention written out.
class AttentionChecker : public LayerObserver {
 public:
  void after_attention(const AttentionStep& step) override {
    const int64_t fresh = step.queries.size(1);
    const int64_t tail = step.cache.tail_tokens();
    seen.push_back({step.layer, step.position, fresh, tail});
    EXPECT_EQ(step.queries.sizes(), (std::vector<int64_t>{4, fresh, 16}));
    EXPECT_EQ(step.cache.tail_keys.sizes(), (std::vector<int64_t>{2, tail, 16}));
    EXPECT_EQ(step.output_weight.sizes(), (std::vector<int64_t>{64, 64}));
    EXPECT_DOUBLE_EQ(step.scale, 0.25);

    const auto keys = step.cache.tail_keys.repeat_interleave(2, 0);      // [heads, tail, head_dim]
    const auto values = step.cache.tail_values.repeat_interleave(2, 0);  // [heads, tail, head_dim]
    const auto hidden_ones = at::ones({fresh, tail}, at::kBool).triu(tail - fresh + 1);
    const auto logits = at::matmul(step.queries, keys.transpose(1, 2)) * step.scale;
    const auto weights =
        logits.masked_fill(hidden_ones, -std::numeric_limits<float>::infinity()).softmax(-1);
    const auto expected = at::matmul(weights, values).transpose(0, 1).reshape({fresh, 64});
    EXPECT_LT(worst_difference(step.output, expected), kTolerance);
  }

  std::vector<std::array<int64_t, 4>> seen;  // layer, position, new, tail
};

TEST(Model, ObserversSeeEachLayerOfEachChunk) {
  const auto model = load_f32(5);
  auto cache = model.make_cache(20);
  AttentionChecker observer;
  model.forward(some_ids(8), cache, LogitsWanted::none, &observer);
  model.forward(some_ids(1), cache, LogitsWanted::none, &observer);
  const std::vector<std::array<int64_t, 4>> expected = {{0, 0, 5, 5}, {1, 0, 5, 5}, {2, 0, 5, 5},
                                                        {0, 5, 3, 8}, {1, 5, 3, 8}, {2, 5, 3, 8},
                                                        {0, 8, 1, 9}, {1, 8, 1, 9}, {2, 8, 1, 9}};
  EXPECT_EQ(observer.seen, expected);
}

TEST(Model, WhatComesOutMayBeChangedInPlace) {
  const auto model = load_f32();
  auto cache = model.make_cache(3);
  const auto logits = model.forward(some_ids(3), cache, LogitsWanted::last);
  logits.zero_();
  EXPECT_EQ(logits.abs().sum().item<float>(), 0);
}

TEST(Model, DtypeAutoIsAsStored) {
  const auto model = Model::load(tiny());
  EXPECT_EQ(model.cache_options().dtype(), at::kBFloat16);
  EXPECT_EQ(load_f32().weight_bytes(), 2 * model.weight_bytes());
  EXPECT_EQ(model.output_weight(2).sizes(), (std::vector<int64_t>{64, 64}));
}

TEST(Model, HalfPrecisionStaysNearF32) {
  const auto ids = some_ids(40);
  const auto of = [&](const char* dtype) {
    const auto model = Model::load(tiny(), {.dtype = dtype, .prefill_chunk_tokens = 16});
    auto cache = model.make_cache(40);
    return model.forward(ids, cache, LogitsWanted::all);
  };
  const auto exact = of("f32");
  const double size = exact.abs().max().item<double>();
  EXPECT_LT(worst_difference(of("bf16"), exact), 0.05 * size);
  EXPECT_LT(worst_difference(of("f16"), exact), 0.01 * size);
}

TEST(Model, BadOptionsAreConfigErrors) {
  expect_error(Kind::config, "dtype = fp8, need one of auto, f32, bf16, f16",
               [] { Model::load(tiny(), {.dtype = "fp8"}); });
  expect_error(Kind::config, "device = gpu, need cpu or cuda:N",
               [] { Model::load(tiny(), {.device = "gpu"}); });
  expect_error(Kind::config, "prefill_chunk_tokens = 0, need >= 1", [] { load_f32(0); });
}

TEST(Model, IdsAndLengthAreChecked) {
  const auto model = load_f32();
  auto cache = model.make_cache(2000);
  const auto feed = [&](const std::vector<int64_t>& ids) {
    model.forward(ids, cache, LogitsWanted::none);
  };
  expect_error(Kind::input, "tiny_llama: no token to feed, need at least 1", [&] { feed({}); });
  expect_error(Kind::input, "tiny_llama: token 1 has id 384, need 0 .. 383", [&] {
    feed({3, 384});
  });
  expect_error(Kind::input, "tiny_llama: sequence of 1025 tokens, the model takes at most 1024",
               [&] { feed(some_ids(1025)); });
  auto small = model.make_cache(4);
  expect_error(Kind::internal, "tiny_llama: cache tail holds 0 of 4 tokens, no room for 5 more",
               [&] { model.forward(some_ids(5), small, LogitsWanted::none); });
}

class FailingObserver : public LayerObserver {
 public:
  void after_attention(const AttentionStep& step) override {
    require(step.position < 4, Kind::internal, "enough");
  }
};

TEST(Model, AfterAnErrorTheCacheIsAsItWas) {
  const auto model = load_f32(4);
  auto cache = model.make_cache(10);
  model.forward(some_ids(2), cache, LogitsWanted::none);
  FailingObserver observer;
  EXPECT_THROW(model.forward(some_ids(6), cache, LogitsWanted::none, &observer), Error);
  EXPECT_EQ(cache.tail_tokens(), 2);
}

/// A copy of the tiny model that may be damaged.
class DamagedModel : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"config.json", "model.safetensors"}) {
      fs::copy_file(tiny() / name, directory / name);
    }
  }

  void replace(const char* file, const std::string& from, const std::string& to) const {
    auto bytes = read(file);
    const auto at = bytes.find(from);
    ASSERT_NE(at, std::string::npos);
    write(file, bytes.replace(at, from.size(), to));
  }
  std::string read(const char* file) const {
    std::ifstream stream(directory / file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void write(const char* file, const std::string& bytes) const {
    std::ofstream(directory / file, std::ios::binary | std::ios::trunc) << bytes;
  }
  void expect(const std::string& sentence) const {
    expect_error(Kind::input, sentence, [&] { Model::load(directory); });
  }

  fs::path directory = test::scratch_dir();
  std::string weights = (directory / "model.safetensors").string();
};

TEST_F(DamagedModel, MissingTensor) {
  replace("model.safetensors", "model.norm.weight", "model.nrom.weight");
  expect(directory.string() + ": no tensor 'model.norm.weight' among the 30 of the weights");
}

TEST_F(DamagedModel, WrongShape) {
  replace("config.json", "\"intermediate_size\": 128", "\"intermediate_size\": 96");
  expect(weights +
         ": tensor 'model.layers.0.mlp.gate_proj.weight': shape [128, 64], need [96, 64]");
}

TEST_F(DamagedModel, WrongDtype) {
  replace("model.safetensors", "\"dtype\":\"BF16\"",
          "\"dtype\":\"I16\" ");  // of the first: lm_head
  expect(weights + ": tensor 'lm_head.weight': dtype I16 is not supported, need F32, BF16 or F16");
}

TEST_F(DamagedModel, TruncatedFile) {
  const auto bytes = read("model.safetensors");
  write("model.safetensors", bytes.substr(0, bytes.size() - 2));
  try {
    Model::load(directory);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::input);
    EXPECT_NE(std::string(error.what()).find("truncated?"), std::string::npos) << error.what();
  }
}

TEST_F(DamagedModel, NotANumberIsFoundAndNamed) {
  const SafetensorsFile file(directory / "model.safetensors");
  const auto& entry = file.entries().at("model.layers.1.mlp.up_proj.weight");
  auto bytes = read("model.safetensors");
  bytes.replace(entry.begin_bytes, 2, "\xc0\x7f");  // NaN in bf16
  write("model.safetensors", bytes);
  const auto model = Model::load(directory);
  auto cache = model.make_cache(4);
  expect_error(
      Kind::numeric,
      directory.filename().string() +
          ": logits are not finite: the layer 1 gate and up projection holds NaN or infinity",
      [&] { model.forward(some_ids(4), cache, LogitsWanted::last); });
}

}  // namespace
}  // namespace kvcal
