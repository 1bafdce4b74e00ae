// SPDX-License-Identifier: Apache-2.0
/// CompressKV's layer scores: how much eviction hurts each layer.
///
/// Source   arXiv:2508.02401, the authors' `scores/*_layer_score.jsonl`, written by
///          `get_avg.py`. In spite of the name it is one JSON object over many lines.
/// Form     {"narrativeqa": [share of each layer], ..., "avg_score": [...]}: each list sums to 1.
/// Stores   avg_score as the layer errors of a dataset "compresskv" of one step. Beside errors of
///          other datasets it counts as one more of them.
/// Checked  unit/exchange_test.cpp; the authors' files, when they are there.
#include <numeric>

#include "exchange/reading/by_head.hpp"
#include "kvcal/profile/exchange.hpp"
#include "tokenizer/json_part.hpp"

namespace kvcal {
namespace {

using nlohmann::json;

constexpr const char* kAverage = "avg_score";

/// @return  [layers]
std::vector<double> layers_of(const json& list, int64_t layers, const std::string& where) {
  require_list(list, layers, "layers", where);
  std::vector<double> shares;
  for (const json& value : list) {
    shares.push_back(number_of(value, kMostScore, fmt::format("{}[{}]", where, shares.size())));
  }
  return shares;
}

std::string read(const std::filesystem::path& file, const std::string&, Profile& profile) {
  const json root = read_json(file);
  require(root.is_object() && root.contains(kAverage), Kind::input,
          "{}: need an object with the key '{}'", file.string(), kAverage);
  LayerErrors errors{{}, 1};
  for (const auto& [dataset, list] : root.items()) {
    const std::string where = fmt::format("{}: {}", file.string(), dataset);
    auto shares = layers_of(list, profile.model.layers, where);
    if (dataset == kAverage) errors.sum = std::move(shares);
  }
  require(std::accumulate(errors.sum.begin(), errors.sum.end(), 0.0) > 0, Kind::input,
          "{}: {} sums to 0, need a sum > 0", file.string(), kAverage);
  profile.layer_errors["compresskv"] = std::move(errors);
  return fmt::format("layer errors compresskv: {} of {} layers ({} datasets in the file)", kAverage,
                     profile.model.layers, root.size() - 1);
}

std::vector<ExportedFile> write(const Profile& profile, const std::string&) {
  nlohmann::ordered_json root;
  for (const auto& [dataset, errors] : profile.layer_errors) {
    const double total = std::accumulate(errors.sum.begin(), errors.sum.end(), 0.0);
    std::vector<double> shares = errors.sum;
    for (double& share : shares) share = total > 0 ? share / total : 0;
    root[dataset] = shares;
  }
  root[kAverage] = profile.layer_importance();
  return {{"layer_score.jsonl", root.dump() + "\n"}};
}

}  // namespace

extern constexpr ExchangeInfo exchange_compresskv_layers{
    "compresskv_layers", "CompressKV's layer scores, JSON with avg_score", "", read, write};

}  // namespace kvcal
