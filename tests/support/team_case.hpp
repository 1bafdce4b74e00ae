// SPDX-License-Identifier: Apache-2.0
// Teams whose processes are all in this one: each member is an object on one store in memory. One
// that is destroyed has died, since nothing beats for it any longer.
#pragma once

#include <gtest/gtest.h>

#include <chrono>

#include "cluster/cluster_store.hpp"
#include "kvcal/profile/team.hpp"

namespace kvcal::test {

inline Launch launch_of(int64_t rank, int64_t size) {
  Launch launch;
  launch.rank = rank;
  launch.size = size;
  return launch;
}

class TeamFixture : public testing::Test {
 protected:
  static constexpr std::chrono::milliseconds kLease{120};

  Team member(int64_t rank, int64_t size = 2) {
    return Team(store_, launch_of(rank, size), kLease);
  }

  ClusterStore store_ = ClusterStore::in_memory();
};

}  // namespace kvcal::test
