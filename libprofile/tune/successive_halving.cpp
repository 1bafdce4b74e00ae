// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/tune.hpp"

namespace kvcal {
namespace {

/// The search at one budget.
struct Track {
  std::vector<Choice> points;  ///< of the round, those that are still in it
  std::vector<Choice> kept;    ///< of these, the ones that are never halved away
  bool is_settled = false;     ///< the last round found nothing better
  SearchResult result = {};
  std::map<Choice, std::vector<double>> losses = {};  ///< on prompts 0, 1, ..

  /// Over the first prompts, so that points that saw more are compared on the same ones.
  double mean_loss(const Choice& point, int64_t prompts) const {
    const auto& seen = losses.at(point);
    return std::accumulate(seen.begin(), seen.begin() + prompts, 0.0) /
           static_cast<double>(prompts);
  }

  void sort_by_loss(int64_t prompts) {
    std::stable_sort(points.begin(), points.end(), [&](const Choice& a, const Choice& b) {
      return mean_loss(a, prompts) < mean_loss(b, prompts);
    });
  }

  bool is_kept(const Choice& point) const {
    return std::find(kept.begin(), kept.end(), point) != kept.end();
  }

  /// Of sorted points the best ones, and those that are kept anyway.
  void cut(size_t best) {
    if (best >= points.size()) return;
    std::vector<Choice> left(points.begin(), points.begin() + static_cast<int64_t>(best));
    std::copy_if(points.begin() + static_cast<int64_t>(best), points.end(),
                 std::back_inserter(left), [&](const Choice& point) { return is_kept(point); });
    points = std::move(left);
  }
};

class Search {
 public:
  Search(const SearchSpace& space, const SearchOptions& options, const Evaluate& evaluate)
      : space_(space), options_(options), evaluate_(evaluate), tracks_(options.budgets) {}

  std::vector<SearchResult> run() {
    for (int64_t round = 0; round < options_.rounds && !is_settled(); ++round) {
      for (Track& track : tracks_) {
        if (!track.is_settled) enter(round, track);
      }
      halve();
      for (Track& track : tracks_) {
        if (!track.is_settled) conclude(round, track);
      }
    }
    std::vector<SearchResult> results;
    for (Track& track : tracks_) {
      track.result.loss = track.mean_loss(track.result.best, options_.prompts);
      track.result.tried = static_cast<int64_t>(track.losses.size());
      for (const auto& [point, losses] : track.losses) {
        track.result.looked += static_cast<int64_t>(losses.size());
      }
      track.result.finalists = finalists(track);
      results.push_back(std::move(track.result));
    }
    return results;
  }

 private:
  std::vector<Choice> finalists(const Track& track) const {
    Track ranked;
    ranked.losses = track.losses;
    for (const auto& [point, losses] : track.losses) {
      const bool saw_all = static_cast<int64_t>(losses.size()) == options_.prompts;
      if (saw_all && std::isfinite(track.mean_loss(point, options_.prompts))) {
        ranked.points.push_back(point);
      }
    }
    for (const auto& start : space_.starts()) ranked.kept.push_back(start.choice);
    ranked.sort_by_loss(options_.prompts);
    ranked.cut(static_cast<size_t>(options_.finalists));
    return ranked.points;
  }

  bool is_settled() const {
    return std::all_of(tracks_.begin(), tracks_.end(),
                       [](const Track& track) { return track.is_settled; });
  }

  /// Points of a round: starts and random ones in the first, the best and its neighbours later.
  void enter(int64_t round, Track& track) const {
    std::vector<Choice> points, others;
    if (round == 0) {
      for (const auto& start : space_.starts()) points.push_back(start.choice);
      for (int64_t i = 0; i < options_.random_points; ++i) {
        others.push_back(space_.random(options_.seed, static_cast<uint64_t>(i)));
      }
    } else {
      points = {track.result.best};
      others = space_.neighbours(track.result.best);
    }
    track.kept = points;
    points.insert(points.end(), others.begin(), others.end());
    track.points.clear();
    for (auto& point : points) {
      const bool is_new =
          std::find(track.points.begin(), track.points.end(), point) == track.points.end();
      if (is_new && goes_together(point)) track.points.push_back(std::move(point));
    }
    track.result.rounds.push_back({static_cast<int64_t>(track.points.size()), {}, 0});
  }

  void conclude(int64_t round, Track& track) const {
    const Choice& best = track.points.front();
    auto& entry = track.result.rounds.back();
    entry.best = best;
    entry.loss = track.mean_loss(best, options_.prompts);
    track.is_settled = round > 0 && best == track.result.best;
    track.result.best = best;
  }

  bool goes_together(const Choice& point) const {
    try {
      space_.method(point, space_.name());
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  /// Leaves, of each unsettled track, the points that got to all prompts, the best one first.
  void halve() {
    int64_t prompts = std::min(options_.first_prompts, options_.prompts);
    while (true) {
      look(prompts);
      for (Track& track : tracks_) {
        if (!track.is_settled) track.sort_by_loss(prompts);
      }
      if (prompts == options_.prompts) return;
      for (Track& track : tracks_) {
        const auto share = static_cast<size_t>(options_.keep_one_of);
        const size_t left = std::max<size_t>((track.points.size() + share - 1) / share, 2);
        if (!track.is_settled) track.cut(left);
      }
      prompts = std::min(2 * prompts, options_.prompts);
    }
  }

  /// Losses of all points on the first prompts; each is computed once in a search.
  void look(int64_t prompts) {
    std::vector<Inquiry> inquiries;
    for (int64_t prompt = 0; prompt < prompts; ++prompt) {
      if (auto missing = unseen(prompt); !missing.empty()) {
        inquiries.push_back({prompt, std::move(missing)});
      }
    }
    const auto losses = evaluate_(inquiries);
    require(losses.size() == inquiries.size(), Kind::internal, "{} answers to {} inquiries",
            losses.size(), inquiries.size());
    for (size_t i = 0; i < inquiries.size(); ++i) remember(inquiries[i], losses[i]);
  }

  std::vector<Candidate> unseen(int64_t prompt) {
    std::vector<Candidate> missing;
    for (size_t budget = 0; budget < tracks_.size(); ++budget) {
      Track& track = tracks_[budget];
      if (track.is_settled) continue;
      for (const auto& point : track.points) {
        const bool is_seen = static_cast<int64_t>(track.losses[point].size()) > prompt;
        if (!is_seen) missing.push_back({point, budget});
      }
    }
    return missing;
  }

  void remember(const Inquiry& inquiry, const std::vector<double>& losses) {
    const auto& candidates = inquiry.candidates;
    require(losses.size() == candidates.size(), Kind::internal, "{} losses of {} candidates",
            losses.size(), candidates.size());
    for (size_t i = 0; i < candidates.size(); ++i) {
      tracks_[candidates[i].budget].losses[candidates[i].choice].push_back(losses[i]);
    }
  }

  const SearchSpace& space_;
  const SearchOptions& options_;
  const Evaluate& evaluate_;
  std::vector<Track> tracks_;  ///< [budgets]
};

}  // namespace

std::vector<SearchResult> search(const SearchSpace& space, const SearchOptions& options,
                                 const Evaluate& evaluate) {
  require(options.budgets >= 1 && options.prompts >= 1 && options.first_prompts >= 1 &&
              options.keep_one_of >= 2 && options.rounds >= 1 && options.random_points >= 0 &&
              options.finalists >= 1,
          Kind::config,
          "search at {} budgets over {} prompts, {} first, keeps one of {}, {} rounds, {} random "
          "points, {} finalists; need at least 1, 1, 1, 2, 1, 0, 1",
          options.budgets, options.prompts, options.first_prompts, options.keep_one_of,
          options.rounds, options.random_points, options.finalists);
  return Search(space, options, evaluate).run();
}

}  // namespace kvcal
