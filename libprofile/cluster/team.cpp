// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/team.hpp"

#include <algorithm>
#include <thread>

#include "cluster/cluster_store.hpp"
#include "cluster/heartbeat.hpp"
#include "config/first_difference.hpp"

namespace kvcal {
namespace {

using std::chrono::milliseconds, std::chrono::seconds, std::chrono::steady_clock;

/// How long after its own start rank 0, when it is done, waits for processes that never came.
constexpr seconds kLatecomers{60};

/// "1 model.safetensors: ...": the kind's number and the message.
std::string packed(Kind kind, const std::string& message) {
  return fmt::format("{} {}", static_cast<int>(kind), message);
}

Error unpacked(const std::string& text) {
  const size_t space = text.find(' ');
  return {static_cast<Kind>(std::stoi(text.substr(0, space))), text.substr(space + 1)};
}

std::string joins_of(int64_t rank) {
  return fmt::format("joins/{}", rank);
}

std::string left(const std::string& member) {
  return "left/" + member;
}

std::string units_of(int64_t rank) {
  return fmt::format("units/{}", rank);
}

std::string member_name(int64_t rank, const std::string& join) {
  return fmt::format("{}.{}", rank, join);
}

void require_same(const std::string& of_root, const std::string& here, int64_t rank) {
  const auto difference = first_difference(of_root, here);
  if (!difference) return;
  fail(Kind::config,
       "rank {} was started with another configuration: '{}', rank 0 has '{}'; is another run "
       "at this rendezvous?",
       rank, difference->now, difference->before);
}

}  // namespace

Team::Team(const Launch& launch, milliseconds lease)
    : Team(launch.size == 1 ? ClusterStore::in_memory() : ClusterStore::open(launch), launch,
           lease) {}

Team::Team(ClusterStore store, const Launch& launch, milliseconds lease)
    : launch_(launch),
      lease_(lease),
      joined_(steady_clock::now()),
      store_(std::make_unique<ClusterStore>(std::move(store))),
      pulse_(std::make_unique<Pulse>(lease)) {
  join();
}

Team::~Team() = default;
Team::Team(Team&&) noexcept = default;

void Team::join() {
  member_ = member_name(launch_.rank, std::to_string(store_->add(joins_of(launch_.rank), 1)));
  if (is_alone()) return;
  constexpr int64_t kBeatsPerLease = 6;
  heartbeat_ = std::make_unique<Heartbeat>(store_->another(), member_, lease_ / kBeatsPerLease);
}

void Team::agree(const std::string& resolved_config) {
  if (is_root()) return store_->set("config", resolved_config);
  std::optional<std::string> of_root;
  while (!(of_root = store_->find("config"))) {
    check();
    rest();
  }
  require_same(*of_root, resolved_config, launch_.rank);
}

void Team::fail_all(Kind kind, const std::string& message) {
  store_->replace("failure", "", packed(kind, message));
}

void Team::check() {
  if (is_alone()) return;
  if (is_root()) {
    if (const auto failure = store_->find("failure")) throw unpacked(*failure);
    return;
  }
  if (const auto code = store_->find("end")) throw TeamEnded{std::stoi(*code)};
  const auto root = store_->find(joins_of(0));
  require(
      !root || pulse_->is_alive(*store_, member_name(0, *root)), Kind::input,
      "rank 0 is silent for {} s; what it had finished is kept beside its output, --resume goes "
      "on",
      std::chrono::duration_cast<seconds>(lease_).count());
}

void Team::conclude(int exit_code) {
  if (is_alone()) return;
  store_->set("end", std::to_string(exit_code));
  const auto is_waited_for = [&](int64_t rank) {
    const auto join = store_->find(joins_of(rank));
    if (!join) return steady_clock::now() - joined_ < kLatecomers;
    const auto member = member_name(rank, *join);
    return !has_left(member) && pulse_->is_alive(*store_, member);
  };
  for (int64_t rank = 1; rank < launch_.size; ++rank) {
    while (is_waited_for(rank)) rest();
  }
}

std::optional<int> Team::follow(std::optional<milliseconds> limit) {
  const auto begin = steady_clock::now();
  while (!limit || steady_clock::now() - begin < *limit) {
    try {
      check();
    } catch (const TeamEnded& ended) {
      leave();
      return ended.exit_code;
    }
    rest();
  }
  return std::nullopt;
}

/// Rank 0 may be gone before it answers: it waits for this alone.
void Team::leave() {
  try {
    store_->set(left(member_), "1");
    store_->find(left(member_));  // asked so that the word before has arrived
  } catch (const Error&) {
  }
}

bool Team::is_alive(const std::string& member) {
  if (member == member_) return true;
  return !store_->find("retired/" + member) && pulse_->is_alive(*store_, member);
}

void Team::rest() const {
  std::this_thread::sleep_for(milliseconds(20));
}

void Team::retire() {
  store_->set("retired/" + member_, "1");
}

bool Team::has_left(const std::string& member) {
  return store_->find(left(member)).has_value();
}

void Team::count_unit() {
  store_->add(units_of(launch_.rank), 1);
}

std::vector<int64_t> Team::units_by_rank() {
  std::vector<int64_t> units;
  for (int64_t rank = 0; rank < launch_.size; ++rank) {
    units.push_back(std::stoll(store_->find(units_of(rank)).value_or("0")));
  }
  return units;
}

std::vector<std::string> Team::members() {
  std::vector<std::string> members;
  for (int64_t rank = 0; rank < launch_.size; ++rank) {
    if (const auto join = store_->find(joins_of(rank))) members.push_back(member_name(rank, *join));
  }
  return members;
}

int64_t Team::count_alive() {
  const auto all = members();
  return std::count_if(all.begin(), all.end(),
                       [&](const auto& member) { return !has_left(member) && is_alive(member); });
}

}  // namespace kvcal
