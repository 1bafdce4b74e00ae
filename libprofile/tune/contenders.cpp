// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/tune.hpp"

namespace kvcal {
namespace {

/// Methods of one space, each choice once.
class Lineup {
 public:
  Lineup(const SearchSpace& space, const ProfileFacts& facts) : space_(space), facts_(facts) {}

  /// Passes over a choice that is there already, or whose values do not go together; notes one that
  /// the profile lacks facts for.
  void add(const Choice& choice, const std::string& name) {
    if (std::find(choices_.begin(), choices_.end(), choice) != choices_.end()) return;
    try {
      Method method = space_.method(choice, name);
      choices_.push_back(choice);
      add(std::move(method));
    } catch (const Error& error) {
      if (error.kind() != Kind::config) throw;
    }
  }

  void add(Method method) {
    const auto missing = missing_facts(method, facts_);
    if (missing.empty()) {
      found_.methods.push_back(std::move(method));
    } else {
      const auto& [what, program] = missing.front();
      found_.left_out.push_back({method.name, fmt::format("needs {}: run {}", what, program)});
    }
  }

  Contenders take() { return std::move(found_); }

 private:
  const SearchSpace& space_;
  const ProfileFacts& facts_;
  std::vector<Choice> choices_;
  Contenders found_;
};

}  // namespace

Contenders contenders(const SearchSpace& space, const Choice& best, const ProfileFacts& facts) {
  const Method paper = load_method(space.compared_with());
  Lineup lineup(space, facts);
  lineup.add(best, space.chosen_name());
  lineup.add(paper);
  for (const auto& start : space.starts()) lineup.add(start.choice, start.name);
  for (const auto& choice : space.controls(best)) {
    lineup.add(choice, "with " + describe_change(best, choice));
  }
  for (const auto& [axis, value] : space.point_of(paper)) {
    Choice choice = best;
    choice[axis] = value;
    choice = space.meaningful(choice);
    lineup.add(choice, "back to " + describe_change(best, choice));
  }
  return lineup.take();
}

}  // namespace kvcal
