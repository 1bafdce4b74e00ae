// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/profile.hpp"

#include <algorithm>
#include <numeric>
#include <set>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

/// Keeps the division defined where all errors vanish (CompressKV, get_avg.py).
constexpr double kImportanceEpsilon = 1e-12;

void add(std::vector<double>& sum, const std::vector<double>& other) {
  std::transform(sum.begin(), sum.end(), other.begin(), sum.begin(), std::plus<>());
}

void merge_heads(Profile& merged, const Profile& next) {
  for (const auto& [kind, scores] : next.heads) {
    const auto [found, is_new] = merged.heads.emplace(kind, scores);
    if (is_new) continue;
    HeadScores& into = found->second;
    add(into.sum, scores.sum);
    into.count += scores.count;
    into.per_prompt.insert(into.per_prompt.end(), scores.per_prompt.begin(),
                           scores.per_prompt.end());
  }
}

void merge_layer_errors(Profile& merged, const Profile& next) {
  for (const auto& [dataset, errors] : next.layer_errors) {
    const auto [found, is_new] = merged.layer_errors.emplace(dataset, errors);
    if (is_new) continue;
    require(found->second.curve_tokens == errors.curve_tokens, Kind::input,
            "{}: its error curve of '{}' is at other budgets than that of the profiles before it",
            next.loaded_from.string(), dataset);
    add(found->second.sum, errors.sum);
    add(found->second.curve, errors.curve);
    found->second.count += errors.count;
  }
}

void unite_prompts(Profile& merged, const Profile& next) {
  std::set<std::pair<std::string, std::string>> known;
  for (const auto& prompt : merged.prompts) known.emplace(prompt.sha256, prompt.origin);
  for (const auto& prompt : next.prompts) {
    if (known.emplace(prompt.sha256, prompt.origin).second) merged.prompts.push_back(prompt);
  }
}

/// Patterns and tables are measured whole elsewhere; there is no sum of two.
template <class Part>
void merge_part(std::optional<Part>& merged, const std::optional<Part>& next, const char* name,
                const Profile& from) {
  require(!merged || !next || *merged == *next, Kind::input,
          "{}: its {} is not that of the profiles before; merge what agrees, then import the one "
          "you want",
          from.loaded_from.string(), name);
  if (!merged) merged = next;
}

/// Row-major numbers as rows.
std::vector<std::vector<double>> rows_of(std::span<const double> flat, int64_t columns) {
  std::vector<std::vector<double>> rows;
  for (auto at = flat.begin(); at != flat.end(); at += columns) rows.emplace_back(at, at + columns);
  return rows;
}

/// Scores of the first of these kinds that the profile has.
const HeadScores* find_heads(const Profile& profile, std::initializer_list<const char*> kinds) {
  for (const char* kind : kinds) {
    const auto found = profile.heads.find(kind);
    if (found != profile.heads.end()) return &found->second;
  }
  return nullptr;
}

std::vector<std::vector<std::vector<double>>> nested(const PruneTable& table, int64_t kv_heads) {
  std::vector<std::vector<std::vector<double>>> steps;
  const auto of_step = static_cast<int64_t>(table.shares.size()) / table.steps;
  for (const auto& step : rows_of(table.shares, of_step)) steps.push_back(rows_of(step, kv_heads));
  return steps;
}

CostCurves curves_of(const UnitCosts& costs) {
  std::vector<double> means;
  for (const double sum : costs.sum) {
    means.push_back(sum / static_cast<double>(std::max<int64_t>(costs.count, 1)));
  }
  return {costs.shares, rows_of(means, static_cast<int64_t>(costs.shares.size()))};
}

/// Sums and counts of the same shares add up.
void merge_costs(std::optional<UnitCosts>& into, const std::optional<UnitCosts>& next,
                 const Profile& of) {
  if (!next) return;
  if (!into) {
    into = next;
    return;
  }
  require(into->shares == next->shares && into->units == next->units, Kind::input,
          "{}: its cost curves are of other shares than those of the profiles before it",
          of.loaded_from.string());
  for (size_t i = 0; i < into->sum.size(); ++i) into->sum[i] += next->sum[i];
  into->count += next->count;
}

/// Those that were measured at several budgets.
std::vector<const LayerErrors*> with_curves(const std::map<std::string, LayerErrors>& by_dataset) {
  std::vector<const LayerErrors*> found;
  for (const auto& [dataset, errors] : by_dataset) {
    if (!errors.curve_tokens.empty() && errors.count > 0) found.push_back(&errors);
  }
  return found;
}

/// Budgets that all of them have.
std::vector<int64_t> common_tokens(std::span<const LayerErrors* const> datasets) {
  if (datasets.empty()) return {};
  auto common = datasets.front()->curve_tokens;
  for (const auto* errors : datasets) {
    const auto& own = errors->curve_tokens;
    std::erase_if(common, [&](int64_t tokens) {
      return std::find(own.begin(), own.end(), tokens) == own.end();
    });
  }
  return common;
}

/// Mean over datasets of the mean error of a decode step; none where they have no budget in common.
std::optional<ErrorCurves> error_curves_of(const std::map<std::string, LayerErrors>& by_dataset,
                                           int64_t layers) {
  const auto datasets = with_curves(by_dataset);
  ErrorCurves curves{common_tokens(datasets), {}};
  const size_t points = curves.tokens.size();
  if (points == 0) return std::nullopt;
  curves.errors.assign(static_cast<size_t>(layers), std::vector<double>(points, 0));
  for (const auto* errors : datasets) {
    const auto& own = errors->curve_tokens;
    for (size_t point = 0; point < points; ++point) {
      const auto found = std::find(own.begin(), own.end(), curves.tokens[point]);
      const auto column = static_cast<size_t>(found - own.begin());
      for (size_t layer = 0; layer < curves.errors.size(); ++layer) {
        curves.errors[layer][point] +=
            errors->curve[layer * own.size() + column] / static_cast<double>(errors->count);
      }
    }
  }
  for (auto& layer : curves.errors) {
    for (double& error : layer) error /= static_cast<double>(datasets.size());
  }
  return curves;
}

/// Indices of the values, the largest first; equals keep their order.
std::vector<int64_t> best_first(std::span<const double> values) {
  std::vector<int64_t> order(values.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return values[static_cast<size_t>(a)] > values[static_cast<size_t>(b)];
  });
  return order;
}

}  // namespace

std::vector<double> HeadScores::mean() const {
  std::vector<double> means(sum.size(), 0);  // [layers, heads]
  for (size_t i = 0; i < sum.size() && count > 0; ++i)
    means[i] = sum[i] / static_cast<double>(count);
  return means;
}

std::vector<std::vector<int64_t>> HeadScores::ranking() const {
  const auto means = mean();
  std::vector<std::vector<int64_t>> ranked;
  for (int64_t layer = 0; layer < layers; ++layer) {
    ranked.push_back(best_first(std::span(means).subspan(layer * heads, heads)));
  }
  return ranked;
}

std::vector<int64_t> HeadScores::model_ranking() const {
  return best_first(mean());
}

void Profile::begin_stage(Provenance next) {
  if (!provenance.tool.empty()) history.push_back(std::move(provenance));
  provenance = std::move(next);
}

std::vector<double> Profile::layer_importance() const {
  std::vector<double> importance(model.layers, 0);  // [layers]
  int64_t datasets = 0;
  for (const auto& [dataset, errors] : layer_errors) {
    const double total = std::accumulate(errors.sum.begin(), errors.sum.end(), 0.0);
    // Without any error (nothing was evicted) a dataset says nothing about the layers.
    if (total <= 0) continue;
    ++datasets;
    for (int64_t layer = 0; layer < model.layers; ++layer)
      importance[layer] += errors.sum[layer] / total;
  }
  require(datasets > 0, Kind::config, "the profile{} has no layer errors: run layer-budget",
          loaded_from.empty() ? "" : fmt::format(" {}", loaded_from.string()));
  for (double& value : importance) value /= static_cast<double>(datasets);
  const double total = std::accumulate(importance.begin(), importance.end(), 0.0);
  for (double& value : importance) value /= total + kImportanceEpsilon;
  return importance;
}

ProfileFacts Profile::facts() const {
  ProfileFacts facts;
  if (const auto* ranked = find_heads(*this, {"semantic_ranking", "semantic"})) {
    facts.semantic_ranking = ranked->ranking();
  }
  if (const auto* scores = find_heads(*this, {"retrieval_reasoning", "semantic"})) {
    facts.head_scores = rows_of(scores->mean(), model.heads);
  }
  for (const auto& [kind, scores] : heads) {
    facts.head_kinds[kind] = rows_of(scores.mean(), model.heads);
  }
  // An imported ranking stands in for scores that are not there.
  if (const auto* ranked = find_heads(*this, {"semantic", "semantic_ranking"})) {
    facts.head_kinds["semantic"] = rows_of(ranked->mean(), model.heads);
  }
  if (!layer_errors.empty()) facts.layer_error = layer_importance();
  facts.layer_error_curves = error_curves_of(layer_errors, model.layers);
  if (layer_costs) facts.layer_costs = curves_of(*layer_costs);
  if (kv_head_costs) facts.kv_head_costs = curves_of(*kv_head_costs);
  if (streaming) {
    facts.streaming_pattern = StreamingPattern{rows_of(streaming->retrieval, model.kv_heads),
                                               streaming->sink_tokens, streaming->recent_tokens};
  }
  if (prune_table) facts.prune_table = nested(*prune_table, model.kv_heads);
  if (kv_head_influence) {
    auto [ratios, losses] = curves_of(*kv_head_influence);
    facts.kv_head_influence = InfluenceCurves{std::move(ratios), std::move(losses)};
  }
  if (kv_head_shares) facts.kv_head_shares = rows_of(*kv_head_shares, model.kv_heads);
  return facts;
}

Profile merge(std::span<const Profile> profiles) {
  require(!profiles.empty(), Kind::config, "no profile to merge, need at least one");
  Profile merged = profiles.front();
  merged.loaded_from.clear();
  int64_t with_errors = merged.layer_errors.empty() ? 0 : 1;
  for (const Profile& next : profiles.subspan(1)) {
    require_same_model(next.model, merged.model, next.loaded_from);
    merge_heads(merged, next);
    merge_layer_errors(merged, next);
    unite_prompts(merged, next);
    for (const auto& [name, settings] : next.selections) {
      const auto [found, is_new] = merged.selections.emplace(name, settings);
      require(is_new || found->second == settings, Kind::input,
              "{}: its selection '{}' is another than that of the profiles before it",
              next.loaded_from.string(), name);
    }
    merge_costs(merged.layer_costs, next.layer_costs, next);
    merge_costs(merged.kv_head_costs, next.kv_head_costs, next);
    merge_costs(merged.kv_head_influence, next.kv_head_influence, next);
    merge_part(merged.streaming, next.streaming, "streaming pattern", next);
    merge_part(merged.prune_table, next.prune_table, "prune table", next);
    merge_part(merged.kv_head_shares, next.kv_head_shares, "table of KV head shares", next);
    with_errors += next.layer_errors.empty() ? 0 : 1;
    for (const auto& [allocator, budgets] : next.budgets)
      merged.budgets.emplace(allocator, budgets);
    merged.history.insert(merged.history.end(), next.history.begin(), next.history.end());
    merged.history.push_back(next.provenance);
  }
  if (with_errors > 1) merged.budgets.clear();
  return merged;
}

}  // namespace kvcal
