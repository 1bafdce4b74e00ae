// SPDX-License-Identifier: Apache-2.0
#include "cluster/work_queue.hpp"

#include <algorithm>

namespace kvcal {
namespace {

constexpr std::string_view kDone = "done", kKept = "kept", kNobody = "-";

struct Claim {
  std::string holder;
  int64_t tries;
};

Claim parse_claim(const std::string& text) {
  const size_t mark = text.find('#');
  return {text.substr(0, mark), std::stoll(text.substr(mark + 1))};
}

}  // namespace

WorkQueue::WorkQueue(Team& team, const std::string& name, std::vector<UnitRange> groups)
    : team_(team), name_(name), groups_(std::move(groups)) {}

std::string WorkQueue::key(const char* what, int64_t of) const {
  return fmt::format("{}/{}/{}", name_, what, of);
}

std::string WorkQueue::claim_text(int64_t tries) const {
  return fmt::format("{}#{}", team_.member(), tries);
}

void WorkQueue::open() {
  if (team_.is_root()) return team_.store().set(name_, "open");
  while (!team_.store().find(name_)) {
    team_.check();
    team_.rest();
  }
}

int64_t WorkQueue::claimed_end() const {
  return next_fresh_ == 0 ? 0 : groups_[next_fresh_ - 1].end;
}

std::optional<int64_t> WorkQueue::next_of_group() {
  while (held_ && held_->next_unit < groups_[held_->group].end) {
    const int64_t unit = held_->next_unit++;
    if (!team_.store().find(key("unit", unit))) return unit;
  }
  return std::nullopt;
}

std::optional<int64_t> WorkQueue::next() {
  while (held_ || claim_one()) {
    if (const auto unit = next_of_group()) return unit;
    team_.store().replace(key("claim", held_->group), held_->claim, std::string(kDone));
    held_.reset();
  }
  return std::nullopt;
}

bool WorkQueue::claim(size_t group, const std::string& expected, int64_t tries) {
  const std::string text = claim_text(tries);
  if (!team_.store().replace(key("claim", group), expected, text)) return false;
  held_ = Held{group, text, groups_[group].begin};
  return true;
}

bool WorkQueue::claim_one() {
  while (next_fresh_ < groups_.size()) {
    const size_t group = next_fresh_++;
    if (claim(group, "", 1)) return true;
    others_.insert(group);
  }
  const auto of_others = others_;
  return std::any_of(of_others.begin(), of_others.end(),
                     [&](size_t group) { return take_over(group); });
}

bool WorkQueue::take_over(size_t group) {
  const auto text = team_.store().find(key("claim", group));
  if (!text || *text == kDone) {
    others_.erase(group);
    return false;
  }
  const auto [holder, tries] = parse_claim(*text);
  if (given_back_.contains(group)) {
    // Who else could have tried it may have died since.
    if (holder == kNobody && team_.count_alive() <= tries) fail(group);
    return false;
  }
  if (holder != kNobody && team_.is_alive(holder)) return false;
  if (tries >= kTries) {
    fail(group);
    return false;
  }
  if (!claim(group, *text, tries + 1)) return false;
  others_.erase(group);
  return true;
}

void WorkQueue::give_back(const std::string& why) {
  const size_t group = held_->group;
  const auto tries = parse_claim(held_->claim).tries;
  team_.store().set(key("why", group), why);
  team_.store().replace(key("claim", group), held_->claim, fmt::format("{}#{}", kNobody, tries));
  given_back_.insert(group);
  others_.insert(group);
  held_.reset();
}

void WorkQueue::fail(size_t group) {
  const auto [begin, end] = groups_[group];
  const auto why = team_.store().find(key("why", group));
  team_.fail_all(Kind::input,
                 why.value_or(fmt::format("{} processes died while they ran prompts {} to {}",
                                          kTries, begin + 1, end)));
}

void WorkQueue::deliver(int64_t unit, const std::string& record) {
  auto& store = team_.store();
  const std::string place = fmt::format("{}/{}", key("record", unit), team_.member());
  const std::string receipt = store.set_bytes(place, record);
  const bool is_first =
      store.replace(key("unit", unit), "", fmt::format("{} {}", team_.member(), receipt));
  if (!is_first) store.remove_bytes(place, receipt);
}

std::optional<std::string> WorkQueue::receive(int64_t unit) {
  const auto text = team_.store().find(key("unit", unit));
  if (!text || *text == kKept) return std::nullopt;
  const size_t space = text->find(' ');
  return team_.store().find_bytes(fmt::format("{}/{}", key("record", unit), text->substr(0, space)),
                                  text->substr(space + 1));
}

void WorkQueue::keep(int64_t unit) {
  auto& store = team_.store();
  const auto text = store.find(key("unit", unit));
  store.set(key("unit", unit), std::string(kKept));
  if (!text || *text == kKept) return;
  const size_t space = text->find(' ');
  store.remove_bytes(fmt::format("{}/{}", key("record", unit), text->substr(0, space)),
                     text->substr(space + 1));
}

}  // namespace kvcal
