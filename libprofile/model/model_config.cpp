// SPDX-License-Identifier: Apache-2.0
// config.json and generation_config.json of a Hugging Face model directory.
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kvcal/compress/error.hpp"
#include "model/config_section.hpp"
#include "model/family.hpp"

namespace kvcal {
namespace fs = std::filesystem;
using nlohmann::json;
namespace {

json read_json(const fs::path& path) {
  std::ifstream file(path);
  require(file.good(), Kind::input, "{}: cannot be read", path.string());
  try {
    json read = json::parse(file);
    require(read.is_object(), Kind::input, "{}: holds {}, need an object", path.string(),
            read.type_name());
    return read;
  } catch (const json::exception& error) {
    fail(Kind::input, "{}: not JSON: {}", path.string(), error.what());
  }
}

const FamilyInfo& read_family(const ConfigSection& file) {
  std::vector<std::string_view> known;
  const json& names = file.at("architectures");
  const bool is_one_name = names.is_array() && names.size() == 1 && names[0].is_string();
  for (const FamilyInfo* family : family_table()) {
    if (is_one_name && names[0].get<std::string>() == family->architecture) return *family;
    known.push_back(family->architecture);
  }
  fail(Kind::input, "{}: architectures = {}, need one of {}", file.where(), names.dump(),
       fmt::join(known, ", "));
}

void refuse_unsupported(const ConfigSection& file) {
  require(
      !file.has("quantization_config"), Kind::input,
      "{}: quantization_config is set: quantised weights are not supported, need f32, bf16 or f16",
      file.where());
  const auto activation = file.text_or("hidden_act", "silu");
  require(activation == "silu", Kind::input, "{}: hidden_act = {}, need silu", file.where(),
          activation);
  const double rotary = file.positive_or("partial_rotary_factor", 1);
  require(rotary == 1, Kind::input, "{}: partial_rotary_factor = {}, need 1", file.where(), rotary);
}

/// Within the window sliding attention is attention to all, which is what methods suppose; a longer
/// sequence is refused as one that is too long.
void bound_by_window(const ConfigSection& file, ModelConfig& config) {
  if (file.has("layer_types")) {
    for (const auto& type : file.at("layer_types")) {
      const bool is_sliding = type == "sliding_attention" && config.sliding_window > 0;
      require(type == "full_attention" || is_sliding, Kind::input,
              "{}: layer_types has {}, need full_attention, or sliding_attention with a "
              "sliding_window that is switched on",
              file.where(), type.dump());
    }
  }
  if (config.sliding_window > 0)
    config.max_tokens = std::min(config.max_tokens, config.sliding_window);
}

std::optional<Llama3Scaling> read_rope_scaling(const ConfigSection& scaling) {
  const auto type = scaling.text_or("rope_type", scaling.text_or("type", "default"));
  require(type == "default" || type == "llama3", Kind::input,
          "{}: rope_type = {}, need default or llama3", scaling.where(), type);
  if (type == "default") return std::nullopt;

  const Llama3Scaling read = {scaling.positive("factor"), scaling.positive("low_freq_factor"),
                              scaling.positive("high_freq_factor"),
                              scaling.positive("original_max_position_embeddings")};
  require(read.low_freq_factor < read.high_freq_factor, Kind::input,
          "{}: low_freq_factor = {}, need less than high_freq_factor = {}", scaling.where(),
          read.low_freq_factor, read.high_freq_factor);
  return read;
}

/// transformers 5 writes rope_theta and the scaling into rope_parameters, earlier versions apart.
void read_rope(const ConfigSection& file, ModelSpec& spec) {
  spec.config.rope_theta = file.positive_or("rope_theta", spec.config.rope_theta);
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const auto section = file.section(key);
    if (!section) continue;
    spec.rope_scaling = read_rope_scaling(*section);
    spec.config.rope_theta = section->positive_or("rope_theta", spec.config.rope_theta);
  }
}

void read_geometry(const ConfigSection& file, const FamilyInfo& family, ModelConfig& config) {
  config.layers = file.count("num_hidden_layers");
  config.heads = file.count("num_attention_heads");
  config.kv_heads = file.count_or("num_key_value_heads", config.heads);
  config.hidden = file.count("hidden_size");
  config.intermediate = file.count("intermediate_size");
  config.vocab = file.count("vocab_size");
  config.max_tokens = file.count("max_position_embeddings");
  require(config.heads % config.kv_heads == 0, Kind::input,
          "{}: num_attention_heads = {}, need a multiple of num_key_value_heads = {}", file.where(),
          config.heads, config.kv_heads);
  const bool knows_head_dim = file.has("head_dim") || family.default_head_dim > 0;
  require(knows_head_dim || config.hidden % config.heads == 0, Kind::input,
          "{}: hidden_size = {}, need a multiple of num_attention_heads = {}, or head_dim",
          file.where(), config.hidden, config.heads);
  const int64_t head_dim = family.default_head_dim > 0
                               ? family.default_head_dim
                               : std::max<int64_t>(config.hidden / config.heads, 1);
  config.head_dim = file.count_or("head_dim", head_dim);
  require(config.head_dim % 2 == 0, Kind::input, "{}: head_dim = {}, need an even number for RoPE",
          file.where(), config.head_dim);
}

/// eos_token_id is absent, a number or a list of numbers.
std::vector<int64_t> read_stop_ids(const ConfigSection& file, int64_t vocab) {
  if (!file.has("eos_token_id")) return {};
  const json& given = file.at("eos_token_id");
  const json list = given.is_array() ? given : json::array({given});
  std::vector<int64_t> ids;
  for (const auto& id : list) {
    require(id.is_number_integer() && id >= 0 && id < vocab, Kind::input,
            "{}: eos_token_id = {}, need ids 0 .. {}", file.where(), given.dump(), vocab - 1);
    ids.push_back(id.get<int64_t>());
  }
  return ids;
}

std::string directory_name(const fs::path& directory) {
  const fs::path whole = fs::absolute(directory).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

}  // namespace

ModelSpec read_model_spec(const fs::path& directory) {
  const fs::path path = directory / "config.json";
  const json config_json = read_json(path);
  const ConfigSection file(config_json, path.string());
  const FamilyInfo& family = read_family(file);

  ModelSpec spec;
  ModelConfig& config = spec.config;
  config.name = directory_name(directory);
  config.architecture = family.architecture;
  config.model_type = file.text_or("model_type", "");
  read_geometry(file, family, config);
  refuse_unsupported(file);
  read_rope(file, spec);
  config.norm_eps = file.positive_or("rms_norm_eps", 1e-6);
  config.has_tied_embedding = file.flag("tie_word_embeddings");

  family.read(file, spec);
  bound_by_window(file, config);

  config.stop_ids = read_stop_ids(file, config.vocab);
  const fs::path generation_path = directory / "generation_config.json";
  if (fs::exists(generation_path)) {
    const json generation_json = read_json(generation_path);
    const ConfigSection generation(generation_json, generation_path.string());
    if (generation.has("eos_token_id")) config.stop_ids = read_stop_ids(generation, config.vocab);
  }
  return spec;
}

ModelConfig read_model_config(const fs::path& directory) {
  return read_model_spec(directory).config;
}

}  // namespace kvcal
