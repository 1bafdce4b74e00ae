// SPDX-License-Identifier: Apache-2.0
// config.json and generation_config.json of a Hugging Face model directory.
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kvcal/compress/error.hpp"
#include "model/model_spec.hpp"

namespace kvcal {
namespace fs = std::filesystem;
using nlohmann::json;
namespace {

struct Architecture {
  std::string_view name;
  bool has_qkv_bias;  ///< always, whatever attention_bias says
  bool has_qk_norm;
};

constexpr std::array<Architecture, 4> kArchitectures = {{
    {"LlamaForCausalLM", false, false},
    {"MistralForCausalLM", false, false},
    {"Qwen2ForCausalLM", true, false},
    {"Qwen3ForCausalLM", false, true},
}};

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

/// One JSON object with its place; null counts as absent.
class Section {
 public:
  Section(const json& object, std::string where) : object_(object), where_(std::move(where)) {}

  const std::string& where() const { return where_; }

  bool has(const char* key) const {
    const auto found = object_.find(key);
    return found != object_.end() && !found->is_null();
  }

  const json& at(const char* key) const {
    require(has(key), Kind::input, "{}: {} is missing", where_, key);
    return object_.at(key);
  }

  int64_t count(const char* key) const {
    const json& value = at(key);
    require(value.is_number_integer() && value >= 1 && value <= kMaxCount, Kind::input,
            "{}: {} = {}, need a whole number 1 .. {}", where_, key, value.dump(), kMaxCount);
    return value.get<int64_t>();
  }

  int64_t count_or(const char* key, int64_t otherwise) const {
    return has(key) ? count(key) : otherwise;
  }

  double positive(const char* key) const {
    const json& value = at(key);
    require(value.is_number() && value > 0, Kind::input, "{}: {} = {}, need a number > 0", where_,
            key, value.dump());
    return value.get<double>();
  }

  double positive_or(const char* key, double otherwise) const {
    return has(key) ? positive(key) : otherwise;
  }

  bool flag(const char* key) const {
    if (!has(key)) return false;
    const json& value = at(key);
    require(value.is_boolean(), Kind::input, "{}: {} = {}, need true or false", where_, key,
            value.dump());
    return value.get<bool>();
  }

  std::string text_or(const char* key, const std::string& otherwise) const {
    if (!has(key)) return otherwise;
    const json& value = at(key);
    require(value.is_string(), Kind::input, "{}: {} = {}, need a text", where_, key, value.dump());
    return value.get<std::string>();
  }

  std::optional<Section> section(const char* key) const {
    if (!has(key)) return std::nullopt;
    require(at(key).is_object(), Kind::input, "{}: {} = {}, need an object", where_, key,
            at(key).dump());
    return Section(at(key), where_ + ": " + key);
  }

 private:
  static constexpr int64_t kMaxCount = int64_t{1} << 31;  // keeps products of two within 64 bits

  const json& object_;
  std::string where_;
};

const Architecture& read_architecture(const Section& file) {
  std::vector<std::string_view> supported;
  for (const auto& known : kArchitectures) supported.push_back(known.name);

  const json& names = file.at("architectures");
  const bool is_one_name = names.is_array() && names.size() == 1 && names[0].is_string();
  if (is_one_name) {
    const auto found = std::ranges::find(supported, names[0].get<std::string>());
    if (found != supported.end())
      return kArchitectures[static_cast<size_t>(found - supported.begin())];
  }
  fail(Kind::input, "{}: architectures = {}, need one of {}", file.where(), names.dump(),
       fmt::join(supported, ", "));
}

void refuse_unsupported(const Section& file, int64_t max_tokens) {
  require(
      !file.has("quantization_config"), Kind::input,
      "{}: quantization_config is set: quantised weights are not supported, need f32, bf16 or f16",
      file.where());
  const auto activation = file.text_or("hidden_act", "silu");
  require(activation == "silu", Kind::input, "{}: hidden_act = {}, need silu", file.where(),
          activation);
  require(file.positive_or("partial_rotary_factor", 1) == 1, Kind::input,
          "{}: partial_rotary_factor = {}, need 1", file.where(),
          file.positive_or("partial_rotary_factor", 1));

  if (file.has("layer_types")) {
    for (const auto& type : file.at("layer_types")) {
      require(type == "full_attention", Kind::input,
              "{}: layer_types has {}, need full_attention only", file.where(), type.dump());
    }
  }

  // Qwen configs carry a sliding_window that use_sliding_window = false switches off.
  const bool is_switched_off = file.has("use_sliding_window") && !file.flag("use_sliding_window");
  const bool has_window = file.has("sliding_window") && !is_switched_off;
  require(!has_window || file.count("sliding_window") >= max_tokens, Kind::input,
          "{}: sliding_window = {}, need null: sliding-window attention is not supported",
          file.where(), has_window ? file.count("sliding_window") : 0);
}

std::optional<Llama3Scaling> read_rope_scaling(const Section& scaling) {
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
void read_rope(const Section& file, ModelSpec& spec) {
  spec.config.rope_theta = file.positive_or("rope_theta", spec.config.rope_theta);
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const auto section = file.section(key);
    if (!section) continue;
    spec.rope_scaling = read_rope_scaling(*section);
    spec.config.rope_theta = section->positive_or("rope_theta", spec.config.rope_theta);
  }
}

void read_geometry(const Section& file, ModelConfig& config) {
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
  require(file.has("head_dim") || config.hidden % config.heads == 0, Kind::input,
          "{}: hidden_size = {}, need a multiple of num_attention_heads = {}, or head_dim",
          file.where(), config.hidden, config.heads);
  config.head_dim = file.count_or("head_dim", std::max<int64_t>(config.hidden / config.heads, 1));
  require(config.head_dim % 2 == 0, Kind::input, "{}: head_dim = {}, need an even number for RoPE",
          file.where(), config.head_dim);
}

/// eos_token_id is absent, a number or a list of numbers.
std::vector<int64_t> read_stop_ids(const Section& file, int64_t vocab) {
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
  const Section file(config_json, path.string());
  const Architecture& architecture = read_architecture(file);

  ModelSpec spec;
  ModelConfig& config = spec.config;
  config.name = directory_name(directory);
  config.architecture = architecture.name;
  config.model_type = file.text_or("model_type", "");
  read_geometry(file, config);
  refuse_unsupported(file, config.max_tokens);
  read_rope(file, spec);
  config.norm_eps = file.positive_or("rms_norm_eps", 1e-6);
  config.has_tied_embedding = file.flag("tie_word_embeddings");

  const bool has_attention_bias = file.flag("attention_bias");
  spec.has_qkv_bias = architecture.has_qkv_bias || has_attention_bias;
  spec.has_output_bias = has_attention_bias;
  spec.has_mlp_bias = file.flag("mlp_bias");
  spec.has_qk_norm = architecture.has_qk_norm;

  config.stop_ids = read_stop_ids(file, config.vocab);
  const fs::path generation_path = directory / "generation_config.json";
  if (fs::exists(generation_path)) {
    const json generation_json = read_json(generation_path);
    const Section generation(generation_json, generation_path.string());
    if (generation.has("eos_token_id")) config.stop_ids = read_stop_ids(generation, config.vocab);
  }
  return spec;
}

ModelConfig read_model_config(const fs::path& directory) {
  return read_model_spec(directory).config;
}

}  // namespace kvcal
