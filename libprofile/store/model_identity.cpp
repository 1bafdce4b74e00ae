// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/profile.hpp"

namespace kvcal {
namespace fs = std::filesystem;
namespace {

/// model.safetensors, or the files that the index names, in name order.
std::vector<fs::path> weight_files(const fs::path& directory) {
  const fs::path index = directory / "model.safetensors.index.json";
  if (!fs::exists(index)) return {directory / "model.safetensors"};
  try {
    std::ifstream stream(index);
    const auto json = nlohmann::json::parse(stream);
    std::set<std::string> names;
    for (const auto& [tensor, file] : json.at("weight_map").items()) names.insert(file);
    std::vector<fs::path> files;
    for (const auto& name : names) files.push_back(directory / name);
    return files;
  } catch (const nlohmann::json::exception& error) {
    fail(Kind::input, "{}: not an index of weights: {}", index.string(), error.what());
  }
}

struct FieldText {
  std::string name, value;
};

std::vector<FieldText> texts_of(const ModelIdentity& identity) {
  std::vector<FieldText> texts;
  auto append = [&](const char* name, const auto& value) {
    texts.push_back({name, fmt::format("{}", value)});
  };
  ModelIdentity::fields(identity, append);
  return texts;
}

}  // namespace

ModelIdentity identify_model(const fs::path& directory, const ModelConfig& config) {
  ModelIdentity identity;
  identity.name = config.name;
  identity.config_sha256 = sha256_of_file(directory / "config.json");
  identity.weights_sha256 = sha256_of_files(weight_files(directory));
  identity.tokenizer_sha256 = sha256_of_file(directory / "tokenizer.json");
  identity.layers = config.layers;
  identity.heads = config.heads;
  identity.kv_heads = config.kv_heads;
  identity.head_dim = config.head_dim;
  return identity;
}

void require_same_model(const ModelIdentity& profile, const ModelIdentity& model,
                        const fs::path& profile_file) {
  const auto of_profile = texts_of(profile);
  const auto of_model = texts_of(model);
  for (size_t i = 0; i < of_profile.size(); ++i) {
    // The name is the folder's: a renamed copy is the same model.
    if (of_profile[i].name == "model_name") continue;
    require(of_profile[i].value == of_model[i].value, Kind::input,
            "{}: made for another model ('{}'): {} = {}, but the model '{}' has {}",
            profile_file.string(), profile.name, of_profile[i].name, of_profile[i].value,
            model.name, of_model[i].value);
  }
}

}  // namespace kvcal
