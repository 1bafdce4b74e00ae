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

  /// Leaves out a choice that is there already, whose values do not go together, or that the
  /// profile lacks facts for.
  void add(const Choice& choice, const std::string& name) {
    if (std::find(choices_.begin(), choices_.end(), choice) != choices_.end()) return;
    try {
      Method method = space_.method(choice, name);
      if (!has_facts(method, facts_)) return;
      methods_.push_back(std::move(method));
      choices_.push_back(choice);
    } catch (const Error& error) {
      if (error.kind() != Kind::config) throw;
    }
  }
  void add(Method method) { methods_.push_back(std::move(method)); }

  std::vector<Method> take() { return std::move(methods_); }

 private:
  const SearchSpace& space_;
  const ProfileFacts& facts_;
  std::vector<Method> methods_;
  std::vector<Choice> choices_;
};

}  // namespace

bool has_facts(const Method& method, const ProfileFacts& facts) {
  try {
    require_facts(method, facts, "");
    return true;
  } catch (const Error&) {
    return false;
  }
}

std::vector<Method> contenders(const SearchSpace& space, const Choice& best,
                               const ProfileFacts& facts) {
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
    lineup.add(choice, "back to " + describe_change(best, choice));
  }
  return lineup.take();
}

}  // namespace kvcal
