// SPDX-License-Identifier: Apache-2.0
// The engine on a tiny random model: what is kept, what must not depend on what.
#include "kvcal/profile/engine.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kvcal/compress/error.hpp"
#include "support/engine_fixture.hpp"
#include "support/error_text.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

class EngineTest : public test::EngineFixture {};

TEST_F(EngineTest, KeepsExactlyTheBudgetAndCountsItsBytes) {
  const std::vector<Variant> variants{{&full_, nullptr, Visibility::aware},
                                      {&snapkv_, &small_, Visibility::aware}};
  const auto records = engine().run("task", sample("a", 12), variants);
  ASSERT_EQ(records.size(), 2u);
  const int64_t heads = config_.layers * config_.kv_heads;
  EXPECT_EQ(records[0].kept_entries, records[0].prompt_tokens * heads);
  EXPECT_EQ(records[0].kept_bytes, records[0].full_bytes);
  EXPECT_EQ(records[1].kept_entries, 16 * heads);
  EXPECT_EQ(records[1].kept_bytes, 16 * heads * 2 * config_.head_dim * 4);
  EXPECT_EQ(records[1].kept_per_head, std::vector<int32_t>(static_cast<size_t>(heads), 16));
  EXPECT_FALSE(records[1].uncompressed);
}

TEST_F(EngineTest, APromptWithinTheBudgetIsKeptWholeAndSaysSo) {
  const std::vector<Variant> variants{{&full_, nullptr, Visibility::aware},
                                      {&snapkv_, &huge_, Visibility::aware}};
  const auto records = engine().run("task", sample("a", 3), variants);
  EXPECT_TRUE(records[1].uncompressed);
  EXPECT_FALSE(records[0].uncompressed);
  EXPECT_EQ(records[1].kept_entries, records[0].kept_entries);
  EXPECT_EQ(records[1].prediction, records[0].prediction);
}

TEST_F(EngineTest, ASampleGetsTheSameResultWhateverRunsBesideIt) {
  const std::vector<Variant> both{{&random_, &small_, Visibility::aware},
                                  {&snapkv_, &small_, Visibility::aware}};
  const std::vector<Variant> alone{{&random_, &small_, Visibility::aware}};
  auto in_company = engine();
  in_company.run("task", sample("other", 20), both);
  const auto first = in_company.run("task", sample("a", 12), both);
  const auto again = engine().run("task", sample("a", 12), alone);
  EXPECT_EQ(first[0].prediction, again[0].prediction);
  EXPECT_EQ(first[0].score, again[0].score);
}

TEST_F(EngineTest, AgnosticCompressesTheContextAndStillReadsTheQuestion) {
  const std::vector<Variant> variants{{&full_, nullptr, Visibility::agnostic},
                                      {&snapkv_, &small_, Visibility::agnostic},
                                      {&full_, nullptr, Visibility::aware}};
  const auto records = engine().run("task", sample("a", 12), variants);
  EXPECT_LT(records[0].prompt_tokens, records[2].prompt_tokens);
  EXPECT_EQ(records[1].kept_entries, 16 * config_.layers * config_.kv_heads);
  EXPECT_EQ(records[0].visibility, "agnostic");
}

TEST_F(EngineTest, TheFullCacheDecodesAsOneForwardPassOverTheWholeSequence) {
  const auto prompt = ids(40);
  const auto prefilled = prefill(model_, prompt, Needs{});
  auto cache = prefilled.cache.sealed(8);
  const auto generation = generate(model_, cache, prefilled.last_logits, 8, {});
  auto sequence = prompt;
  sequence.insert(sequence.end(), generation.ids.begin(), generation.ids.end());
  auto fresh = model_.make_cache(static_cast<int64_t>(sequence.size()));
  const auto logits = model_.forward(sequence, fresh, LogitsWanted::all);
  for (size_t i = 0; i < generation.ids.size(); ++i) {
    const auto row = logits[static_cast<int64_t>(prompt.size() + i) - 1];
    EXPECT_EQ(row.argmax().item<int64_t>(), generation.ids[i]) << "token " << i;
  }
}

TEST_F(EngineTest, GenerationEndsBeforeAStopTokenAndAtTheLimit) {
  const auto prefilled = prefill(model_, ids(20), Needs{});
  auto cache = prefilled.cache.sealed(8);
  const auto free_run = generate(model_, cache, prefilled.last_logits, 5, {});
  ASSERT_EQ(free_run.ids.size(), 5u);
  EXPECT_EQ(free_run.steps, 4);
  auto other = prefilled.cache.sealed(8);
  const std::vector<int64_t> stops{free_run.ids[0]};
  EXPECT_TRUE(generate(model_, other, prefilled.last_logits, 5, {stops}).ids.empty());
}

TEST_F(EngineTest, NoStopTokenComesBeforeTheLeastNumberOfTokens) {
  const auto prefilled = prefill(model_, ids(20), Needs{});
  auto cache = prefilled.cache.sealed(8), other = prefilled.cache.sealed(8);
  const int64_t first = generate(model_, cache, prefilled.last_logits, 1, {}).ids.at(0);
  const StopRule stop{{first}, 1};
  const auto held = generate(model_, other, prefilled.last_logits, 3, stop);
  ASSERT_FALSE(held.ids.empty());
  EXPECT_NE(held.ids[0], first);
  auto third = prefilled.cache.sealed(8);
  std::vector<Continuation> together = {{&third, prefilled.last_logits, 3}};
  generate_together(model_, together, stop);
  EXPECT_EQ(together[0].generation.ids, held.ids);
}

TEST_F(EngineTest, GatheredWindowQueriesAreTheLastOnesWhateverTheChunks) {
  const auto model = Model::load(directory_, {.dtype = "f32", .prefill_chunk_tokens = 7});
  const auto chunked = prefill(model, ids(40), window(10));
  const auto whole = prefill(model_, ids(40), window(10));
  ASSERT_EQ(chunked.window_queries.size(), static_cast<size_t>(config_.layers));
  EXPECT_EQ(chunked.window_queries[0].size(1), 10);
  EXPECT_TRUE(at::allclose(chunked.window_queries[2], whole.window_queries[2], 1e-4, 1e-5));
}

TEST_F(EngineTest, ABudgetBelowTheNeedIsRefusedWithBothNumbers) {
  const auto prefilled = prefill(model_, ids(40), window(8));
  const ProfileFacts facts;
  Compressor compressor(model_, prefilled, facts, 0);
  try {
    compressor.compress(snapkv_, 4, 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::config);
    EXPECT_STREQ(error.what(),
                 "method snapkv: a budget of 4 tokens is below the 9 it needs (of a prompt of 40)");
  }
}

TEST_F(EngineTest, APromptLongerThanTheModelIsRefusedWithTheNumbers) {
  const std::vector<Variant> variants{{&full_, nullptr, Visibility::aware}};
  try {
    engine().run("task", sample("long", 400), variants);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::input);
    EXPECT_NE(std::string(error.what()).find("the model takes 1024"), std::string::npos)
        << error.what();
  }
}

TEST_F(EngineTest, ACompressedPromptKeepsItsOriginalPositions) {
  const auto prefilled = prefill(model_, ids(40), window(8));
  const ProfileFacts facts;
  Compressor compressor(model_, prefilled, facts, 0);
  const auto compression = compressor.compress(snapkv_, 16, 4);
  EXPECT_EQ(compression.cache.next_position(), 40);
  EXPECT_EQ(compression.cache.layer(0).prefix.total_kept(), 16 * config_.kv_heads);
}

TEST_F(EngineTest, ASequenceDecodesTheSameAloneAndInABatch) {
  const auto prefilled = prefill(model_, ids(40), snapkv_.needs());
  const ProfileFacts facts;
  Compressor compressor(model_, prefilled, facts, 0);
  std::vector<CompactCache> caches;
  caches.push_back(prefilled.cache.sealed(12));
  for (const int64_t budget : {12, 16, 20, 30}) {
    caches.push_back(compressor.compress(snapkv_, budget, 12).cache);
  }
  std::vector<Continuation> together;
  // Different lengths: the batch shrinks while it runs.
  for (size_t i = 0; i < caches.size(); ++i) {
    const auto limit = static_cast<int64_t>(4 + 2 * i);
    together.push_back({&caches[i], prefilled.last_logits, limit});
  }
  generate_together(model_, together, {});
  for (size_t i = 0; i < caches.size(); ++i) {
    auto cache = caches[i].fork(12);
    const auto alone =
        generate(model_, cache, prefilled.last_logits, together[i].max_new_tokens, {});
    EXPECT_EQ(together[i].generation.ids, alone.ids) << i;
    const int64_t last = config_.layers - 1;
    EXPECT_TRUE(at::equal(caches[i].tail_keys(last), cache.tail_keys(last))) << i;
  }
}

TEST_F(EngineTest, BatchesOfAnySizeGiveTheSameRecords) {
  const Budget ten = Budget::parse("10"), twelve = Budget::parse("12");
  const std::vector<Variant> variants{
      {&full_, nullptr}, {&snapkv_, &small_}, {&snapkv_, &ten}, {&random_, &twelve}};
  Engine one_at_a_time(model_, tokenizer_, chat_, {}, {.seed = 7, .variant_bytes = 1});
  const auto split = one_at_a_time.run("task", sample("a", 12), variants);
  const auto whole = engine().run("task", sample("a", 12), variants);
  for (size_t i = 0; i < variants.size(); ++i) {
    EXPECT_EQ(split[i].prediction, whole[i].prediction);
    EXPECT_EQ(split[i].answer_nll, whole[i].answer_nll);
    EXPECT_EQ(split[i].full_answer_nll, whole[i].full_answer_nll);
    EXPECT_EQ(split[i].kl, whole[i].kl);
  }
}

TEST_F(EngineTest, TheFullCacheAgreesWithItselfAndACutOneDoesNot) {
  const std::vector<Variant> variants{{&snapkv_, &small_, Visibility::agnostic},
                                      {&full_, nullptr, Visibility::agnostic},
                                      {&snapkv_, &huge_, Visibility::agnostic}};
  const auto records = engine().run("task", sample("a", 12), variants);
  EXPECT_EQ(records[1].kl, 0);
  EXPECT_EQ(records[1].top1_agreement, 1);
  EXPECT_EQ(records[2].kl, 0) << "nothing was cut";
  EXPECT_GT(records[0].kl, 0);
  EXPECT_LT(records[0].kl, 5);
  EXPECT_GT(records[1].full_answer_nll, 0);
  EXPECT_NE(records[0].answer_nll, records[1].answer_nll);
}

TEST_F(EngineTest, TheLikelihoodOfAnAnswerIsThatOfOneForwardPass) {
  Sample asked = sample("a", 12);
  asked.references = {"boat 7"};
  asked.chat = false;
  const std::vector<Variant> variants{{&full_, nullptr, Visibility::aware}};
  const auto record = engine().run("task", asked, variants).front();
  const auto prompt = tokenize_prompt(asked, chat_, tokenizer_, Visibility::aware).context;
  const auto answer = tokenizer_.encode(" boat 7", false);
  auto sequence = prompt;
  sequence.insert(sequence.end(), answer.begin(), answer.end());
  auto cache = model_.make_cache(static_cast<int64_t>(sequence.size()));
  const auto rows = at::log_softmax(model_.forward(sequence, cache, LogitsWanted::all), -1);
  double nll = 0;
  for (size_t i = 0; i < answer.size(); ++i) {
    nll -= rows[static_cast<int64_t>(prompt.size() + i) - 1][answer[i]].item<double>();
  }
  EXPECT_NEAR(record.answer_nll, nll / static_cast<double>(answer.size()), 1e-4);

  // A reply that has begun goes on with a space in a chat turn too.
  Sample begun = asked;
  begun.question = "Which ";
  begun.answer_prefix = "boat left?";
  begun.chat = true;
  EXPECT_EQ(engine().run("task", begun, variants).front().answer_nll, record.answer_nll);
}

TEST_F(EngineTest, TheStartOfTheReplyStandsBehindTheChatFormat) {
  const ChatFormat chat = ChatFormat::load(test::source_dir() / "configs/models/smollm2.yaml");
  Sample asked = sample("a", 1);
  asked.answer_prefix = "It is";
  EXPECT_EQ(prompt_text(asked, chat), chat.wrap(asked.context + asked.question) + "It is");
  const auto split = tokenize_prompt(asked, chat, tokenizer_, Visibility::agnostic);
  EXPECT_EQ(tokenizer_.decode(split.question, false), asked.question + chat.suffix() + "It is");
  asked.chat = false;
  EXPECT_EQ(prompt_text(asked, chat), asked.context + asked.question + "It is");
}

TEST_F(EngineTest, QuestionsAboutOneDocumentShareTheCompactedCache) {
  const std::vector<Variant> variants{{&full_, nullptr, Visibility::multi},
                                      {&random_, &small_, Visibility::multi}};
  Sample first = sample("a", 12), second = sample("b", 12);
  first.document = second.document = "boats";
  second.question = "How many boats left?";
  std::vector<at::Tensor> kept;
  const KeepSink keep = [&](const Sample&, const Variant& variant, const Compression& compression) {
    if (variant.budget != nullptr) kept.push_back(compression.kept.front().indices);
  };
  auto shared = engine();
  shared.run("task", first, variants, keep);
  const auto records = shared.run("task", second, variants, keep);
  EXPECT_EQ(records[0].reused_tokens, records[0].prompt_tokens) << "the document was read twice";
  EXPECT_TRUE(at::equal(kept[0], kept[1])) << "random draws anew for the second question";
  const auto alone = engine().run("task", second, variants);
  for (size_t i = 0; i < variants.size(); ++i) {
    EXPECT_EQ(records[i].prediction, alone[i].prediction);
    EXPECT_EQ(records[i].full_answer_nll, alone[i].full_answer_nll);
  }
}

/// Statistics of two prompts are the same numbers, bit for bit.
void expect_same_statistics(const Prefilled& a, const Prefilled& b) {
  EXPECT_TRUE(at::equal(a.last_logits, b.last_logits));
  for (size_t layer = 0; layer < a.statistics.size(); ++layer) {
    const auto l = static_cast<int64_t>(layer);
    EXPECT_TRUE(at::equal(a.cache.tail_keys(l), b.cache.tail_keys(l)));
    EXPECT_TRUE(at::equal(a.cache.tail_values(l), b.cache.tail_values(l)));
    EXPECT_TRUE(at::equal(a.window_queries[layer], b.window_queries[layer]));
    const auto &own = a.statistics[layer], &other = b.statistics[layer];
    if (!own.column_sums.defined()) continue;
    EXPECT_TRUE(at::equal(own.column_sums, other.column_sums));
    EXPECT_TRUE(at::equal(own.query_mean, other.query_mean));
    EXPECT_TRUE(at::equal(own.query_covariance, other.query_covariance));
  }
}

TEST_F(EngineTest, APromptThatBeginsAsTheLastOneTakesOverWholeChunksBitForBit) {
  const auto model = Model::load(directory_, {.dtype = "f32", .prefill_chunk_tokens = 8});
  auto first = ids(150), second = ids(163);
  for (size_t i = 45; i < second.size(); ++i) second[i] = (second[i] + 1) % 300;
  for (const bool accumulates : {false, true}) {
    Needs needs;
    needs.window_tokens = 6;
    needs.column_sums = needs.query_moments = accumulates;
    const auto before = prefill(model, first, needs);
    const auto warm = prefill(model, second, needs, &before);
    EXPECT_EQ(warm.reused_tokens, accumulates ? 24 : 40) << "snapshots are three chunks apart";
    expect_same_statistics(warm, prefill(model, second, needs));
    // And a third one from the second, whose own first tokens were taken over.
    const auto third = prefill(model, first, needs, &warm);
    EXPECT_GT(third.reused_tokens, 0);
    expect_same_statistics(third, before);
    // The same prompt again: its window and its last logits are computed anew.
    const auto again = prefill(model, first, needs, &before);
    EXPECT_EQ(again.reused_tokens, 144);
    expect_same_statistics(again, before);
  }
}

TEST_F(EngineTest, APrefillWithOtherStatisticsIsNotTakenOver) {
  const auto model = Model::load(directory_, {.dtype = "f32", .prefill_chunk_tokens = 8});
  Needs few, more;
  few.window_tokens = 2;
  more.window_tokens = 6;
  more.column_sums = more.query_moments = true;
  const auto prompt = ids(40);
  const auto before = prefill(model, prompt, few);
  const auto warm = prefill(model, prompt, more, &before);
  EXPECT_EQ(warm.reused_tokens, 0);
  expect_same_statistics(warm, prefill(model, prompt, more));
}

TEST_F(EngineTest, AnEngineServesVariantsThatAskForMoreThanTheLast) {
  const Method h2o = load_method("h2o");
  const std::vector<Variant> first{{&full_, nullptr}, {&snapkv_, &small_}};
  const std::vector<Variant> second{{&full_, nullptr}, {&h2o, &small_}};
  const Sample asked = sample("a", 12);
  auto shared = engine();
  shared.run("task", asked, first);
  const auto records = shared.run("task", asked, second);
  const auto alone = engine().run("task", asked, second);
  for (size_t i = 0; i < second.size(); ++i) {
    EXPECT_EQ(records[i].prediction, alone[i].prediction);
    EXPECT_EQ(records[i].kept_per_head, alone[i].kept_per_head);
  }
}

TEST_F(EngineTest, TheOrderOfSamplesChangesNoRecord) {
  const Method h2o = load_method("h2o"), expected = load_method("expected_attention");
  const std::vector<Variant> variants{{&full_, nullptr},
                                      {&snapkv_, &small_},
                                      {&h2o, &small_},
                                      {&expected, &small_},
                                      {&random_, &small_}};
  std::vector<Sample> samples{sample("a", 24), sample("b", 30), sample("c", 24)};
  samples[2].question = "Which boat stayed?";
  const auto run_in = [&](const std::vector<size_t>& order) {
    auto runner = engine();
    std::vector<std::vector<SampleRecord>> records(samples.size());
    for (size_t i : order) records[i] = runner.run("task", samples[i], variants);
    return records;
  };
  const auto forwards = run_in({0, 1, 2}), shuffled = run_in({2, 0, 1});
  for (size_t i = 0; i < samples.size(); ++i) {
    for (size_t v = 0; v < variants.size(); ++v) {
      EXPECT_EQ(forwards[i][v].prediction, shuffled[i][v].prediction);
      EXPECT_EQ(forwards[i][v].score, shuffled[i][v].score);
      EXPECT_EQ(forwards[i][v].answer_nll, shuffled[i][v].answer_nll);
      EXPECT_EQ(forwards[i][v].full_answer_nll, shuffled[i][v].full_answer_nll);
    }
  }
}

/// Silences all heads of layer 1.
NamedMask mask_of_a_layer(const ModelConfig& config, HeadMask::Kind kind) {
  NamedMask named{"layer", {kind, {}}};
  named.mask.heads.resize(static_cast<size_t>(config.layers));
  for (int64_t head = 0; head < config.heads; ++head) named.mask.heads[1].push_back(head);
  return named;
}

TEST_F(EngineTest, AnEmptyMaskChangesNothingAndAFullOneDoes) {
  NamedMask none{"none", {HeadMask::Kind::uniform, {}}};
  none.mask.heads.resize(static_cast<size_t>(config_.layers));
  const auto uniform = mask_of_a_layer(config_, HeadMask::Kind::uniform);
  const auto zero = mask_of_a_layer(config_, HeadMask::Kind::zero);
  const auto prefilled = prefill(model_, ids(40), Needs());
  std::vector<at::Tensor> logits;
  const std::vector<const HeadMask*> masks{nullptr, &none.mask, &uniform.mask, &zero.mask};
  for (const HeadMask* mask : masks) {
    auto cache = prefilled.cache.sealed(2);
    const DecodeRow row{17, &cache, mask};
    logits.push_back(model_.decode({&row, 1}));
  }
  EXPECT_TRUE(at::equal(logits[0], logits[1]));
  EXPECT_FALSE(at::allclose(logits[0], logits[2]));
  EXPECT_FALSE(at::allclose(logits[0], logits[3]));
  EXPECT_FALSE(at::allclose(logits[2], logits[3]));
}

TEST_F(EngineTest, AMaskedVariantReadsItsLastPromptTokenAgainUnderTheMask) {
  NamedMask none{"none", {HeadMask::Kind::uniform, {}}};
  none.mask.heads.resize(static_cast<size_t>(config_.layers));
  const auto uniform = mask_of_a_layer(config_, HeadMask::Kind::uniform);
  for (const auto visibility : {Visibility::aware, Visibility::agnostic}) {
    const std::vector<Variant> variants{{&full_, nullptr, visibility},
                                        {&full_, nullptr, visibility, &none},
                                        {&full_, nullptr, visibility, &uniform}};
    const auto records = engine().run("task", sample("a", 12), variants);
    EXPECT_EQ(records[1].prediction, records[0].prediction);
    EXPECT_EQ(records[2].mask, "layer");
    EXPECT_EQ(records[2].kept_entries, records[0].kept_entries);
  }
}

}  // namespace
}  // namespace kvcal
