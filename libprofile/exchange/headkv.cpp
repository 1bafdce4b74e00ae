// SPDX-License-Identifier: Apache-2.0
/// HeadKV's head scores: samples of each query head.
///
/// Source   arXiv:2410.19258, `*_retrieval_reasoning_heads.json`, as KVCache-Factory reads
///          them in `run_longbench.py` (c97f9d7). CompressKV's raw score files have the same form.
/// Form     {"<layer>-<head>": [score of each prompt]}: all heads, equally many scores.
/// Stores   sums in f64, samples in f32. The authors' mean of a head is sum / count. An exported
///          file holds the samples, so its sums may differ in the eighth digit.
/// Differs  a file whose heads have different numbers of samples is refused: a profile has one
///          count for all.
/// Checked  unit/exchange_test.cpp; the authors' files, when they are there.
#include "exchange/reading/by_head.hpp"
#include "kvcal/profile/exchange.hpp"
#include "tokenizer/json_part.hpp"

namespace kvcal {
namespace {

using nlohmann::json;

std::string head_name(int64_t layer, int64_t head) {
  return fmt::format("{}-{}", layer, head);
}

std::string read(const std::filesystem::path& file, const std::string& kind, Profile& profile) {
  const auto& model = profile.model;
  const json root = read_json(file);
  const auto names = names_of(model.layers, model.heads, head_name);
  const auto lists = values_of(root, names, file.string());
  const size_t count = lists.front()->size();
  HeadScores scores{model.layers, model.heads, {}, static_cast<int64_t>(count), {}};
  for (size_t head = 0; head < lists.size(); ++head) {
    const std::string where = fmt::format("{}: {}", file.string(), names[head]);
    const json& list = *lists[head];
    require(list.is_array() && !list.empty() && list.size() == count, Kind::input,
            "{} is a {} of {}, need a list of scores, as many as {} has", where, list.type_name(),
            list.size(), names.front());
    if (head == 0) scores.per_prompt.resize(count * lists.size());
    double sum = 0;
    for (size_t sample = 0; sample < count; ++sample) {
      const double score =
          number_of(list[sample], kMostScore, fmt::format("{}[{}]", where, sample));
      sum += score;
      scores.per_prompt[sample * lists.size() + head] = static_cast<float>(score);
    }
    scores.sum.push_back(sum);
  }
  profile.heads[kind] = std::move(scores);
  return fmt::format("heads {}: {} scores of each of {} x {} heads", kind, count, model.layers,
                     model.heads);
}

std::vector<ExportedFile> write(const Profile& profile, const std::string& kind) {
  const HeadScores& scores = heads_of(profile, kind);
  const auto names = names_of(scores.layers, scores.heads, head_name);
  nlohmann::ordered_json root;
  for (size_t head = 0; head < names.size(); ++head) {
    auto& samples = root[names[head]] = nlohmann::ordered_json::array();
    for (size_t at = head; at < scores.per_prompt.size(); at += names.size())
      samples.push_back(scores.per_prompt[at]);
  }
  return {{"heads.json", root.dump() + "\n"}};
}

}  // namespace

extern constexpr ExchangeInfo exchange_headkv{
    "headkv", "HeadKV's samples of each head's score, JSON", "retrieval_reasoning", read, write};

}  // namespace kvcal
