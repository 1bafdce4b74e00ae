// SPDX-License-Identifier: Apache-2.0
/// CompressKV's head index: the heads of each layer, best first.
///
/// Source   arXiv:2508.02401, the authors' `scores/*_head_idx.json`, written by
///          `get_retrieval_head_idx_per_layer.py`.
/// Form     {"0": [h, ...], "1": ...}: for each layer all heads once.
/// Stores   a ranking has no scores, so head_scores of the head at place p are heads - 1 - p, count
///          1. Under a kind of its own, `semantic_ranking`: CompressKV's scorer takes it before
///          `semantic`, and nothing that needs real scores takes it.
/// Checked  unit/exchange_test.cpp; the authors' files, when they are there.
#include "exchange/reading/by_head.hpp"
#include "kvcal/profile/exchange.hpp"
#include "tokenizer/json_part.hpp"

namespace kvcal {
namespace {

using nlohmann::json;

std::vector<std::string> layer_names(int64_t layers) {
  return names_of(layers, 1, [](int64_t layer, int64_t) { return std::to_string(layer); });
}

/// @return  [heads] scores of one layer
std::vector<double> scores_of(const json& ranked, int64_t heads, const std::string& where) {
  require_list(ranked, heads, "heads", where);
  std::vector<double> scores(static_cast<size_t>(heads), -1);  // -1: not named yet
  for (int64_t place = 0; place < heads; ++place) {
    const json& head = ranked[static_cast<size_t>(place)];
    require(head.is_number_integer(), Kind::input, "{}[{}] is a {}, need a head 0 .. {}", where,
            place, head.type_name(), heads - 1);
    const auto index = head.get<int64_t>();
    require(index >= 0 && index < heads, Kind::input, "{}[{}] = {}, need a head 0 .. {}", where,
            place, index, heads - 1);
    double& score = scores[static_cast<size_t>(index)];
    require(score < 0, Kind::input, "{}[{}] = {}, which stands before, need each head once", where,
            place, index);
    score = static_cast<double>(heads - 1 - place);
  }
  return scores;
}

std::string read(const std::filesystem::path& file, const std::string& kind, Profile& profile) {
  const auto& model = profile.model;
  const json root = read_json(file);
  const auto layers = values_of(root, layer_names(model.layers), file.string());
  HeadScores scores{model.layers, model.heads, {}, 1, {}};
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    const auto of_layer =
        scores_of(*layers[layer], model.heads, fmt::format("{}: {}", file.string(), layer));
    scores.sum.insert(scores.sum.end(), of_layer.begin(), of_layer.end());
  }
  scores.per_prompt.assign(scores.sum.begin(), scores.sum.end());
  profile.heads[kind] = std::move(scores);
  return fmt::format(
      "heads {}: rankings of {} layers; the file has no scores, so the best head of a layer got {} "
      "and the last 0",
      kind, model.layers, model.heads - 1);
}

std::vector<ExportedFile> write(const Profile& profile, const std::string& kind) {
  nlohmann::ordered_json root;
  const auto ranking = heads_of(profile, kind).ranking();
  for (size_t layer = 0; layer < ranking.size(); ++layer)
    root[std::to_string(layer)] = ranking[layer];
  return {{"head_idx.json", root.dump() + "\n"}};
}

}  // namespace

extern constexpr ExchangeInfo exchange_compresskv_heads{
    "compresskv_heads", "CompressKV's ranking of heads in each layer, JSON", "semantic_ranking",
    read, write};

}  // namespace kvcal
