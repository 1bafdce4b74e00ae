// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/tune.hpp"

namespace kvcal {
namespace {

class Search {
 public:
  Search(const SearchSpace& space, const SearchOptions& options, const Evaluate& evaluate)
      : space_(space), options_(options), evaluate_(evaluate) {}

  SearchResult run() {
    SearchResult result;
    result.best = space_.start();
    for (int64_t round = 0; round < options_.rounds; ++round) {
      const auto points = points_of(round, result.best);
      const Choice best = halve(points);
      result.rounds.push_back(
          {static_cast<int64_t>(points.size()), best, mean_loss(best, options_.prompts)});
      const bool is_settled = round > 0 && best == result.best;
      result.best = best;
      if (is_settled) break;
    }
    result.loss = mean_loss(result.best, options_.prompts);
    result.tried = static_cast<int64_t>(losses_.size());
    return result;
  }

 private:
  std::vector<Choice> points_of(int64_t round, const Choice& best) const {
    std::vector<Choice> points{best};
    if (round > 0) {
      const auto around = space_.neighbours(best);
      points.insert(points.end(), around.begin(), around.end());
    } else {
      for (int64_t i = 0; i < options_.random_points; ++i) {
        points.push_back(space_.random(options_.seed, static_cast<uint64_t>(i)));
      }
    }
    std::vector<Choice> sound;
    for (auto& point : points) {
      const bool is_new = std::find(sound.begin(), sound.end(), point) == sound.end();
      if (is_new && goes_together(point)) sound.push_back(std::move(point));
    }
    return sound;
  }

  bool goes_together(const Choice& point) const {
    try {
      space_.method(point, space_.name());
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  /// The point with the least mean loss over all prompts, of those that got so far.
  Choice halve(std::vector<Choice> points) {
    int64_t prompts = std::min(options_.first_prompts, options_.prompts);
    while (true) {
      for (int64_t prompt = 0; prompt < prompts; ++prompt) look(prompt, points);
      std::stable_sort(points.begin(), points.end(), [&](const Choice& a, const Choice& b) {
        return mean_loss(a, prompts) < mean_loss(b, prompts);
      });
      if (prompts == options_.prompts) return points.front();
      const size_t kept = (points.size() + static_cast<size_t>(options_.keep_one_of) - 1) /
                          static_cast<size_t>(options_.keep_one_of);
      points.resize(std::max<size_t>(kept, std::min<size_t>(points.size(), 2)));
      prompts = std::min(2 * prompts, options_.prompts);
    }
  }

  /// Losses of all points on a prompt; each pair is computed once in a search.
  void look(int64_t prompt, const std::vector<Choice>& points) {
    std::vector<Choice> missing;
    for (const auto& point : points) {
      if (static_cast<int64_t>(losses_[point].size()) == prompt) missing.push_back(point);
    }
    if (missing.empty()) return;
    const auto losses = evaluate_(prompt, missing);
    require(losses.size() == missing.size(), Kind::internal, "{} losses of {} points",
            losses.size(), missing.size());
    for (size_t i = 0; i < missing.size(); ++i) losses_[missing[i]].push_back(losses[i]);
  }

  /// Over the first prompts, so that points that saw more are compared on the same ones.
  double mean_loss(const Choice& point, int64_t prompts) const {
    const auto& losses = losses_.at(point);
    const auto end = losses.begin() + prompts;
    return std::accumulate(losses.begin(), end, 0.0) / static_cast<double>(prompts);
  }

  const SearchSpace& space_;
  const SearchOptions& options_;
  const Evaluate& evaluate_;
  std::map<Choice, std::vector<double>> losses_;  ///< on prompts 0, 1, ..
};

}  // namespace

SearchResult search(const SearchSpace& space, const SearchOptions& options,
                    const Evaluate& evaluate) {
  require(options.prompts >= 1 && options.first_prompts >= 1 && options.keep_one_of >= 2 &&
              options.rounds >= 1 && options.random_points >= 0,
          Kind::config,
          "search over {} prompts, {} first, keeps one of {}, {} rounds, {} random points; need at "
          "least 1, 1, 2, 1, 0",
          options.prompts, options.first_prompts, options.keep_one_of, options.rounds,
          options.random_points);
  return Search(space, options, evaluate).run();
}

}  // namespace kvcal
