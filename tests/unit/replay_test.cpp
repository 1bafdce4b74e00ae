// SPDX-License-Identifier: Apache-2.0
#include "engine/replay.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/kernels.hpp"
#include "support/byte_tokenizer.hpp"
#include "support/error_text.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

using Ids = std::vector<int64_t>;

ChatFormat format(std::string_view name) {
  return ChatFormat::load(test::source_dir() / fmt::format("configs/models/{}.yaml", name));
}

Ids ids(int64_t count) {
  Ids ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back(5 + i * 7 % 300);
  return ids;
}

/// Two tokens of prefix; the words are single tokens.
ReplayText short_text() {
  ReplayText text;
  text.repeat_all = {301};
  text.repeat_part = {302};
  text.turn = {303};
  text.prefix_tokens = 2;
  return text;
}

Needs weighted() {
  Needs needs;
  needs.replay = needs.replay_weighted = true;
  return needs;
}

TEST(ReplayText, TakesTurnAndPrefixFromTheChatFormat) {
  const auto tokenizer = test::byte_tokenizer();  // a token is a byte
  const auto chat = format("smollm2");
  const ReplayText text(tokenizer, chat, true);
  EXPECT_EQ(tokenizer.decode(text.repeat_all), "\n\nRepeat the previous context exactly.");
  EXPECT_EQ(tokenizer.decode(text.repeat_part),
            "\n\nRepeat the part of the previous context exactly, starting with");
  EXPECT_EQ(tokenizer.decode(text.turn), chat.suffix());
  EXPECT_EQ(text.prefix_tokens, static_cast<int64_t>(chat.prefix().size()));
}

TEST(ReplayText, OfAPromptThatStandsAloneIsALineBreakAndNoPrefix) {
  const auto tokenizer = test::byte_tokenizer(/*has_bos=*/true);
  for (const auto& text : {ReplayText(tokenizer, format("plain"), true),
                           ReplayText(tokenizer, format("smollm2"), false)}) {
    EXPECT_EQ(text.turn, (Ids{'\n'}));
    EXPECT_EQ(text.prefix_tokens, 0);
    EXPECT_EQ(text.repeat_all.front(), '\n');  // no BOS in the middle of a prompt
  }
}

TEST(PlanReplay, LaterChunksStartWithTheLastEightTokensOfTheOneBefore) {
  const Ids prompt{90, 91, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21};
  const auto passes = plan_replay(prompt, short_text(), 9);
  ASSERT_EQ(passes.size(), 2u);
  EXPECT_EQ(passes[0].begin, 2);
  EXPECT_EQ(passes[0].end, 11);
  EXPECT_EQ(passes[0].fed, (Ids{301, 303, 10, 11, 12, 13, 14, 15, 16, 17, 18}));
  EXPECT_EQ(passes[1].begin, 11);
  EXPECT_EQ(passes[1].end, 14);
  EXPECT_EQ(passes[1].fed, (Ids{302, 11, 12, 13, 14, 15, 16, 17, 18, 303, 19, 20, 21}));
}

TEST(PlanReplay, AChunkGivesNoMoreTokensThanItHas) {
  const auto passes = plan_replay(Ids{90, 91, 10, 11, 12, 13}, short_text(), 2);
  ASSERT_EQ(passes.size(), 2u);
  EXPECT_EQ(passes[1].fed, (Ids{302, 10, 11, 303, 12, 13}));
}

TEST(PlanReplay, NothingBehindThePrefixIsNoPass) {
  EXPECT_TRUE(plan_replay(Ids{90, 91}, short_text(), 8).empty());
}

class ReplayTest : public testing::Test {
 protected:
  Model load(int64_t chunk_tokens = 2048) const {
    return Model::load(test::test_file("parity/model/tiny_llama"),
                       {.dtype = "f32", .prefill_chunk_tokens = chunk_tokens});
  }
};

/// Queries, all tail keys and inputs of one layer.
class Recorder : public LayerObserver {
 public:
  void after_attention(const AttentionStep& step) override {
    if (step.layer != 1) return;
    queries = step.queries.clone();
    tail_keys = step.cache.tail_keys.clone();
    input = step.input.clone();
  }
  at::Tensor queries, tail_keys, input;
};

TEST_F(ReplayTest, TheSecondChunkSeesFourSinksItselfAndWhatIsFed) {
  const auto model = load();
  const auto prompt_ids = ids(30);
  auto prompt = prefill(model, prompt_ids, Needs{});
  replay(model, prompt_ids, short_text(), weighted(), prompt, 16);

  const auto passes = plan_replay(prompt_ids, short_text(), 16);
  ASSERT_EQ(passes[1].begin, 18);
  Recorder fed;
  auto cache = prompt.cache.sealed(64);
  model.forward(passes[1].fed, cache, LogitsWanted::none, &fed);
  const auto prompt_keys = prompt.cache.tail_keys(1);  // [kv_heads, 30, head_dim]
  const auto keys =
      at::cat({prompt_keys.narrow(1, 0, 4), prompt_keys.narrow(1, 18, 12), fed.tail_keys}, 1);
  const auto rows = window_attention(fed.queries, keys, 0.25).narrow(2, 4, 12);
  const auto largest = rows.view({2, -1, 12}).amax(1);  // [kv_heads, 12]: of a group and its rows
  const auto& statistics = prompt.statistics[1];
  EXPECT_TRUE(at::allclose(statistics.replay_attention.narrow(1, 18, 12), largest, 1e-5, 1e-7));
  const auto per_norm = (rows / fed.input.norm(2, 1).view({1, -1, 1})).amax(1);  // [heads, 12]
  EXPECT_TRUE(at::allclose(statistics.replay_weighted.narrow(1, 18, 12), per_norm, 1e-5, 1e-7));
}

TEST_F(ReplayTest, PrefixTokensStayZeroAndAllOthersAreReRead) {
  const auto model = load();
  auto prompt = prefill(model, ids(30), Needs{});
  replay(model, ids(30), short_text(), weighted(), prompt, 16);
  for (const auto& layer : prompt.statistics) {
    EXPECT_EQ(layer.replay_attention.narrow(1, 0, 2).abs().sum().item<float>(), 0);
    EXPECT_TRUE((layer.replay_attention.narrow(1, 2, 28) > 0).all().item<bool>());
    EXPECT_TRUE((layer.replay_weighted.narrow(1, 2, 28) > 0).all().item<bool>());
  }
}

TEST_F(ReplayTest, ChunksOfTheForwardPassDoNotChangeIt) {
  const auto model = load(), chunked = load(5);
  auto whole = prefill(model, ids(30), Needs{});
  auto parts = whole;
  replay(model, ids(30), short_text(), weighted(), whole, 16);
  replay(chunked, ids(30), short_text(), weighted(), parts, 16);
  for (size_t layer = 0; layer < whole.statistics.size(); ++layer) {
    const auto& a = whole.statistics[layer];
    const auto& b = parts.statistics[layer];
    EXPECT_TRUE(at::allclose(a.replay_attention, b.replay_attention, 1e-4, 1e-6));
    EXPECT_TRUE(at::allclose(a.replay_weighted, b.replay_weighted, 1e-4, 1e-6));
  }
}

TEST_F(ReplayTest, LeavesThePromptAsItWas) {
  const auto model = load();
  auto prompt = prefill(model, ids(30), Needs{});
  const auto keys = prompt.cache.tail_keys(2).clone();
  replay(model, ids(30), short_text(), weighted(), prompt);
  EXPECT_EQ(prompt.tokens(), 30);
  EXPECT_TRUE(at::equal(prompt.cache.tail_keys(2), keys));
}

TEST_F(ReplayTest, IsNotMadeWithoutNeed) {
  const auto model = load();
  auto prompt = prefill(model, ids(30), Needs{});
  replay(model, ids(30), short_text(), Needs{}, prompt);
  EXPECT_FALSE(prompt.statistics[0].replay_attention.defined());
}

TEST_F(ReplayTest, AModelWithLittleRoomReReadsShorterChunksAndOneWithoutSaysSo) {
  const auto model = load();  // takes 1024 tokens
  auto prompt = prefill(model, ids(880), Needs{});
  replay(model, ids(880), short_text(), weighted(), prompt);  // chunks of 1024 - 880 - 10
  EXPECT_GT(prompt.statistics[0].replay_attention[0][879].item<float>(), 0);
  auto longer = prefill(model, ids(900), Needs{});
  EXPECT_EQ(test::error_text(Kind::input,
                             [&] { replay(model, ids(900), short_text(), weighted(), longer); }),
            "tiny_llama: to re-read a prompt of 900 tokens takes 10 + 128 more, the model takes "
            "1024");
}

TEST_F(ReplayTest, AMethodThatNeedsItGetsItFromTheEngine) {
  const auto model = load();
  const auto tokenizer = Tokenizer::load(test::test_file("parity/model/tiny_llama"));
  const auto chat = format("plain");
  const auto method = load_method("kvzip");
  const auto budget = Budget::parse("16");
  Sample sample;
  sample.id = "a";
  for (int i = 0; i < 12; ++i) sample.context += fmt::format("The boat {} left early. ", i);
  sample.question = "Which boat left?";
  sample.references = {"boat"};
  sample.metric = "qa_f1_score";
  sample.max_new_tokens = 4;
  const std::vector<Variant> variants{{&method, &budget, Visibility::agnostic}};
  const auto records =
      Engine(model, tokenizer, chat, {}, EngineOptions{.seed = 7}).run("task", sample, variants);
  EXPECT_EQ(records[0].kept_entries, 16 * model.config().layers * model.config().kv_heads);
}

}  // namespace
}  // namespace kvcal
