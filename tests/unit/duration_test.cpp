// SPDX-License-Identifier: Apache-2.0
// Predicted times against sums done by hand, on a device with round numbers.
#include "kvcal/profile/duration.hpp"

#include <gtest/gtest.h>

#include "support/paths.hpp"

namespace kvcal {
namespace {

class DurationTest : public testing::Test {
 protected:
  DurationTest() {
    model_.layers = 2;
    model_.heads = 4;
    model_.kv_heads = 2;
    model_.head_dim = 8;
    model_.hidden = 32;
    model_.intermediate = 64;
    model_.vocab = 100;
    model_.max_tokens = 100000;
    model_.has_tied_embedding = true;
    device_.matrix_flops = device_.row_flops = 1e9;
    device_.attention_flops = 1e8;
    device_.column_flops = 5e7;
    device_.bytes_per_second = 1e12;  // computing binds
  }

  /// Of a layer: 12 heads' widths and three MLP matrices.
  static constexpr double kLayerNumbers = 2.0 * (12 * 8 * 32 + 3 * 32 * 64);
  static constexpr double kHeadNumbers = 100 * 32;

  ModelConfig model_;
  Device device_;
  const PromptShape prompt_{.tokens = 1000, .tail_tokens = 10, .element_bytes = 2};
  const Method full_ = load_method("full");
  const Method snapkv_ = load_method("snapkv");
  const Method h2o_ = load_method("h2o");
  const Budget tenth_ = Budget::parse("10%");
};

TEST_F(DurationTest, APrefillIsLinearLayersAndTheTriangleOfAttention) {
  const double linear = 2 * 1000 * kLayerNumbers / 1e9;
  const double attention = 4.0 * 2 * 4 * 8 * (1000 * 1001 / 2) / 1e8;
  EXPECT_NEAR(prefill_seconds(model_, prompt_, device_), linear + attention, 1e-6);
}

TEST_F(DurationTest, TheTimeOfAttentionGrowsWithTheSquareOfTheLength) {
  PromptShape twice = prompt_;
  twice.tokens *= 2;
  device_.matrix_flops = 1e15;
  const double ratio =
      prefill_seconds(model_, twice, device_) / prefill_seconds(model_, prompt_, device_);
  EXPECT_NEAR(ratio, 4, 0.01);
}

TEST_F(DurationTest, AStepOfOneSequenceReadsEveryWeightOnce) {
  device_.row_flops = device_.attention_flops = 1e15;
  device_.bytes_per_second = 1e6;
  device_.layer_seconds = 0.001;
  const double weights = (kLayerNumbers + kHeadNumbers) * 2 / 1e6;
  const double entries = 500.0 * 2 * 2 * (2 * 8 * 2) / 1e6;
  EXPECT_NEAR(decode_seconds(model_, 2, 1, 500, device_), weights + entries + 2 * 0.001, 1e-9);
  // More rows read the same weights.
  EXPECT_NEAR(decode_seconds(model_, 2, 40, 500, device_), weights + entries + 2 * 0.001, 1e-9);
}

TEST_F(DurationTest, ASweepPrefillsOnceAndDecodesWhatIsKept) {
  const std::vector<Variant> variants = {{&full_, nullptr, Visibility::aware},
                                         {&snapkv_, &tenth_, Visibility::aware}};
  const auto sweep = predict_durations(model_, prompt_, variants, device_, false);
  EXPECT_DOUBLE_EQ(sweep.prefill, prefill_seconds(model_, prompt_, device_));
  EXPECT_EQ(sweep.statistics, 0);
  EXPECT_EQ(sweep.fidelity, 0);
  // 1000 and 100 entries, and half of the 10 new ones each.
  EXPECT_DOUBLE_EQ(sweep.decoding, 10 * decode_seconds(model_, 2, 2, 1000 + 100 + 2 * 5, device_));
  EXPECT_DOUBLE_EQ(sweep.total(), sweep.prefill + sweep.decoding);
}

TEST_F(DurationTest, ColumnSumsAndFidelityAddTheirPasses) {
  const std::vector<Variant> variants = {{&h2o_, &tenth_, Visibility::aware}};
  const auto sweep = predict_durations(model_, prompt_, variants, device_, true);
  EXPECT_NEAR(sweep.statistics, 2.0 * 2 * 4 * 8 * (1000 * 1001 / 2) / 5e7, 1e-6);
  const double fed = 2 * 10;
  EXPECT_NEAR(
      sweep.fidelity,
      2 * fed * (kLayerNumbers + kHeadNumbers) / 1e9 + 4.0 * 2 * 4 * 8 * fed * (100 + 5) / 1e8,
      1e-9);
}

TEST(Llama31Durations, AnH100PrefillsAndDecodesAnEightBillionModelAtAPlausiblePace) {
  // 8.03 G parameters in bf16 are 15 GiB; an H100 reads them in 7 ms at 70 % of its bandwidth.
  const auto model = read_model_config(test::test_file("support/llama31_8b"));
  EXPECT_NEAR(1e-9 * static_cast<double>(parameter_count(model)), 8.03, 0.01);
  EXPECT_EQ(model.layers * model.kv_heads * model.entry_bytes(2), 131072);  // a token's, published
  const Device device = load_device("h100-sxm", 2);
  const double step = decode_seconds(model, 2, 1, 32768, device);
  EXPECT_GT(step, 0.007);
  EXPECT_LT(step, 0.020);
  const double prefill = prefill_seconds(model, {.tokens = 32768}, device);
  EXPECT_GT(prefill, 1);
  EXPECT_LT(prefill, 4);
}

}  // namespace
}  // namespace kvcal
