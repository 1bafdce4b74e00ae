// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "../../libprofile/model/model_spec.hpp"
#include "kvcal/compress/error.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

using nlohmann::json;

json llama() {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"hidden_size", 64},
          {"intermediate_size", 128},
          {"num_hidden_layers", 3},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"vocab_size", 384},
          {"max_position_embeddings", 1024},
          {"rope_theta", 5000},
          {"rms_norm_eps", 1e-5},
          {"eos_token_id", 2}};
}

/// Writes config.json, with some keys replaced.
std::filesystem::path write_config(const json& changes, json config = llama()) {
  const auto directory = test::scratch_dir();
  if (!changes.empty()) config.merge_patch(changes);
  std::ofstream(directory / "config.json") << config;
  return directory;
}

ModelSpec spec_of(const json& changes) {
  return read_model_spec(write_config(changes));
}

/// The sentence after "<path>/config.json: ".
std::string error_of(const json& changes) {
  const auto directory = write_config(changes);
  try {
    read_model_spec(directory);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::input);
    const std::string place = (directory / "config.json").string() + ": ";
    const std::string sentence = error.what();
    EXPECT_EQ(sentence.substr(0, place.size()), place);
    return sentence.substr(place.size());
  }
  return "no error";
}

TEST(ModelConfig, ReadsAPlainLlama) {
  const auto directory = write_config({});
  const auto config = read_model_config(directory / "");
  EXPECT_EQ(config.name, directory.filename().string());
  EXPECT_EQ(config.architecture, "LlamaForCausalLM");
  EXPECT_EQ(config.head_dim, 16);
  EXPECT_EQ(config.group(), 2);
  EXPECT_EQ(config.rope_theta, 5000);
  EXPECT_EQ(config.entry_bytes(2), 64);
  EXPECT_FALSE(config.has_tied_embedding);
  EXPECT_EQ(config.stop_ids, std::vector<int64_t>{2});
}

TEST(ModelConfig, WithoutKvHeadsEveryHeadHasItsOwn) {
  EXPECT_EQ(spec_of({{"num_key_value_heads", nullptr}}).config.kv_heads, 4);
}

TEST(ModelConfig, StopIdsOfGenerationConfigWin) {
  const auto directory = write_config({});
  std::ofstream(directory / "generation_config.json") << R"({"eos_token_id": [5, 7]})";
  EXPECT_EQ(read_model_config(directory).stop_ids, (std::vector<int64_t>{5, 7}));
  std::ofstream(directory / "generation_config.json") << R"({"temperature": 1})";
  EXPECT_EQ(read_model_config(directory).stop_ids, std::vector<int64_t>{2});
}

TEST(ModelConfig, FamiliesDifferInBiasesAndHeadNorms) {
  const auto qwen2 = spec_of({{"architectures", {"Qwen2ForCausalLM"}}});
  EXPECT_TRUE(qwen2.has_qkv_bias);
  EXPECT_FALSE(qwen2.has_output_bias);
  const auto qwen3 = spec_of({{"architectures", {"Qwen3ForCausalLM"}}});
  EXPECT_TRUE(qwen3.has_qk_norm);
  EXPECT_EQ(qwen3.config.head_dim, 128);  // not hidden_size / num_attention_heads
  EXPECT_FALSE(spec_of({{"architectures", {"MistralForCausalLM"}}}).has_qkv_bias);
  const auto llama = spec_of({{"attention_bias", true}, {"mlp_bias", true}});
  EXPECT_TRUE(llama.has_qkv_bias && llama.has_output_bias && llama.has_mlp_bias);
}

TEST(ModelConfig, RopeParametersOfTransformers5AreRead) {
  const auto spec = spec_of({{"rope_theta", nullptr},
                             {"rope_parameters",
                              {{"rope_type", "llama3"},
                               {"rope_theta", 500000},
                               {"factor", 8},
                               {"low_freq_factor", 1},
                               {"high_freq_factor", 4},
                               {"original_max_position_embeddings", 8192}}}});
  EXPECT_EQ(spec.config.rope_theta, 500000);
  ASSERT_TRUE(spec.rope_scaling.has_value());
  EXPECT_EQ(spec.rope_scaling->factor, 8);
}

TEST(ModelConfig, WhatIsNotSupportedIsRefusedByName) {
  EXPECT_EQ(
      error_of({{"architectures", {"GemmaForCausalLM"}}}),
      "architectures = [\"GemmaForCausalLM\"], need one of LlamaForCausalLM, MistralForCausalLM, "
      "Qwen2ForCausalLM, Qwen3ForCausalLM");
  EXPECT_EQ(
      error_of({{"quantization_config", {{"bits", 4}}}}),
      "quantization_config is set: quantised weights are not supported, need f32, bf16 or f16");
  EXPECT_EQ(error_of({{"rope_scaling", {{"type", "yarn"}, {"factor", 4}}}}),
            "rope_scaling: rope_type = yarn, need default or llama3");
  EXPECT_EQ(error_of({{"hidden_act", "gelu"}}), "hidden_act = gelu, need silu");
  EXPECT_EQ(error_of({{"partial_rotary_factor", 0.5}}), "partial_rotary_factor = 0.5, need 1");
  EXPECT_EQ(
      error_of({{"layer_types", {"full_attention", "sliding_attention"}}}),
      "layer_types has \"sliding_attention\", need full_attention, or sliding_attention with a "
      "sliding_window that is switched on");
}

TEST(ModelConfig, ASlidingWindowBoundsTheLongestSequence) {
  const auto longest = [](const char* family, json changes) {
    changes["architectures"] = {family};
    return spec_of(changes).config.max_tokens;
  };
  EXPECT_EQ(longest("MistralForCausalLM", {{"sliding_window", 512}}), 512);
  EXPECT_EQ(longest("MistralForCausalLM", {{"sliding_window", 2048}}), 1024);
  // merge_patch would drop a null, which is what switches Mistral's window off.
  EXPECT_EQ(longest("MistralForCausalLM", {{"max_position_embeddings", 32768}}), 4096);
  for (const char* family : {"Qwen2ForCausalLM", "Qwen3ForCausalLM"}) {
    EXPECT_EQ(longest(family, {{"sliding_window", 512}}), 1024);
    EXPECT_EQ(longest(family, {{"sliding_window", 512}, {"use_sliding_window", false}}), 1024);
    EXPECT_EQ(longest(family, {{"sliding_window", 512}, {"use_sliding_window", true}}), 512);
  }
  EXPECT_EQ(longest("Qwen2ForCausalLM", {{"sliding_window", 512},
                                         {"use_sliding_window", true},
                                         {"layer_types", {"full_attention", "sliding_attention"}}}),
            512);
  json without_window = llama();
  without_window["architectures"] = {"MistralForCausalLM"};
  without_window["sliding_window"] = nullptr;
  without_window["max_position_embeddings"] = 32768;
  EXPECT_EQ(read_model_config(write_config({}, without_window)).max_tokens, 32768);
}

TEST(ModelConfig, NumbersThatCannotBeAreRefused) {
  EXPECT_EQ(error_of({{"hidden_size", nullptr}}), "hidden_size is missing");
  EXPECT_EQ(error_of({{"num_hidden_layers", 0}}),
            "num_hidden_layers = 0, need a whole number 1 .. 2147483648");
  EXPECT_EQ(error_of({{"vocab_size", "many"}}),
            "vocab_size = \"many\", need a whole number 1 .. 2147483648");
  EXPECT_EQ(error_of({{"num_key_value_heads", 3}}),
            "num_attention_heads = 4, need a multiple of num_key_value_heads = 3");
  EXPECT_EQ(error_of({{"head_dim", 15}}), "head_dim = 15, need an even number for RoPE");
  EXPECT_EQ(error_of({{"rms_norm_eps", -1}}), "rms_norm_eps = -1, need a number > 0");
  EXPECT_EQ(error_of({{"eos_token_id", 384}}), "eos_token_id = 384, need ids 0 .. 383");
}

TEST(ModelConfig, AMissingOrBrokenFileIsNamed) {
  const auto directory = test::scratch_dir();
  const auto path = (directory / "config.json").string();
  const auto message = [&] {
    try {
      read_model_config(directory);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(message(), path + ": cannot be read");
  std::ofstream(directory / "config.json") << "{";
  EXPECT_EQ(message().substr(0, path.size() + 10), path + ": not JSON");
  std::ofstream(directory / "config.json") << "[]";
  EXPECT_EQ(message(), path + ": holds array, need an object");
}

}  // namespace
}  // namespace kvcal
