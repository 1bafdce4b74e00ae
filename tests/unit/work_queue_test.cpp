// SPDX-License-Identifier: Apache-2.0
#include "cluster/work_queue.hpp"

#include <gtest/gtest.h>

#include "support/errors.hpp"
#include "support/team_case.hpp"

namespace kvcal {
namespace {

class WorkQueueTest : public test::TeamFixture {
 protected:
  static WorkQueue queue(Team& team, std::vector<UnitRange> groups) {
    return WorkQueue(team, "run/0", std::move(groups));
  }

  static std::vector<int64_t> drain(WorkQueue& queue) {
    std::vector<int64_t> units;
    while (const auto unit = queue.next()) {
      queue.deliver(*unit, "record");
      units.push_back(*unit);
    }
    return units;
  }

  /// Until there is something to do, or the lease of whoever had it is over several times.
  static std::vector<int64_t> drain_patiently(WorkQueue& queue, Team& team) {
    std::vector<int64_t> units;
    for (const auto end = std::chrono::steady_clock::now() + 10 * kLease;
         units.empty() && std::chrono::steady_clock::now() < end; team.rest()) {
      units = drain(queue);
    }
    return units;
  }
};

TEST_F(WorkQueueTest, EachUnitGoesToOneProcess) {
  auto a = member(0), b = member(1);
  auto of_a = queue(a, single_units(0, 5)), of_b = queue(b, single_units(0, 5));
  EXPECT_EQ(of_a.next(), 0);
  EXPECT_EQ(of_b.next(), 1);
  EXPECT_EQ(drain(of_b), (std::vector<int64_t>{2, 3, 4}));
  EXPECT_FALSE(of_b.is_exhausted());  // unit 0 is with a
  EXPECT_EQ(of_a.next(), std::nullopt);
  EXPECT_TRUE(of_a.is_exhausted());
  EXPECT_EQ(of_b.next(), std::nullopt);
  EXPECT_TRUE(of_b.is_exhausted());
}

TEST_F(WorkQueueTest, AGroupStaysWithOneProcess) {
  auto a = member(0), b = member(1);
  auto of_a = queue(a, {{0, 3}, {3, 4}}), of_b = queue(b, {{0, 3}, {3, 4}});
  EXPECT_EQ(of_a.next(), 0);
  EXPECT_EQ(of_b.next(), 3);
  EXPECT_EQ(of_b.next(), std::nullopt);
  EXPECT_EQ(of_a.next(), 1);
  EXPECT_EQ(of_a.next(), 2);
}

TEST_F(WorkQueueTest, WhatRankZeroHasAlreadyIsLeftOut) {
  auto a = member(0), b = member(1);
  auto of_a = queue(a, {{0, 4}}), of_b = queue(b, {{0, 4}});
  of_a.keep(0);
  of_a.keep(2);
  EXPECT_EQ(drain(of_b), (std::vector<int64_t>{1, 3}));
}

TEST_F(WorkQueueTest, TheRestOfADeadProcessesGroupIsDoneByAnother) {
  auto a = member(0);
  auto of_a = queue(a, {{0, 3}});
  {
    auto dying = member(1);
    auto of_dying = queue(dying, {{0, 3}});
    EXPECT_EQ(of_dying.next(), 0);
    of_dying.deliver(0, "record");
    EXPECT_EQ(of_dying.next(), 1);
  }
  EXPECT_EQ(of_a.next(), std::nullopt);  // not at once: it may only be slow
  EXPECT_EQ(drain_patiently(of_a, a), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(of_a.receive(0), "record");
}

TEST_F(WorkQueueTest, AProcessThatLivesKeepsItsGroup) {
  auto a = member(0), slow = member(1);
  auto of_a = queue(a, single_units(0, 1)), of_slow = queue(slow, single_units(0, 1));
  EXPECT_EQ(of_slow.next(), 0);
  EXPECT_EQ(drain_patiently(of_a, a), std::vector<int64_t>{});
}

TEST_F(WorkQueueTest, AProcessThatWasStartedAgainIsAnother) {
  auto a = member(0);
  { auto of_dying = member(1); }
  const auto again = member(1);
  EXPECT_EQ(again.member(), "1.2");
  EXPECT_TRUE(a.is_alive("1.2"));
}

TEST_F(WorkQueueTest, OfTwoRecordsOfAUnitTheFirstOneCounts) {
  auto a = member(0), b = member(1);
  auto of_a = queue(a, single_units(0, 1)), of_b = queue(b, single_units(0, 1));
  of_b.deliver(0, "by b");
  of_a.deliver(0, "by a");
  EXPECT_EQ(of_a.receive(0), "by b");
  of_a.keep(0);
  EXPECT_EQ(of_a.receive(0), std::nullopt);
  of_b.deliver(0, "late");
  EXPECT_EQ(of_a.receive(0), std::nullopt);
}

TEST_F(WorkQueueTest, WhatOneProcessCannotDoAnotherTries) {
  auto a = member(0), b = member(1);
  auto of_a = queue(a, single_units(0, 2)), of_b = queue(b, single_units(0, 2));
  EXPECT_EQ(of_b.next(), 0);
  of_b.give_back("rank 1: out of memory");
  EXPECT_EQ(drain(of_b), std::vector<int64_t>{1});
  EXPECT_EQ(drain(of_a), std::vector<int64_t>{0});
  a.check();
}

TEST_F(WorkQueueTest, WhatNobodyCanDoEndsTheRunWithTheReason) {
  auto a = member(0), b = member(1);
  auto of_a = queue(a, single_units(0, 1)), of_b = queue(b, single_units(0, 1));
  EXPECT_EQ(of_b.next(), 0);
  of_b.give_back("rank 1: out of memory");
  EXPECT_EQ(of_a.next(), 0);
  of_a.give_back("rank 0: out of memory");
  EXPECT_EQ(of_a.next(), std::nullopt);
  test::expect_error(Kind::input, "rank 0: out of memory", [&] { a.check(); });
}

TEST_F(WorkQueueTest, AGroupThatThreeProcessesDiedWithEndsTheRun) {
  auto a = member(0, 4);
  auto of_a = queue(a, {{4, 6}});
  for (int64_t rank = 1; rank < 4; ++rank) {
    auto dying = member(rank, 4);
    auto of_dying = queue(dying, {{4, 6}});
    std::optional<int64_t> unit;
    while (!(unit = of_dying.next())) dying.rest();
    EXPECT_EQ(unit, 4);
  }
  EXPECT_EQ(drain_patiently(of_a, a), std::vector<int64_t>{});
  test::expect_error(Kind::input, "3 processes died while they ran prompts 5 to 6",
                     [&] { a.check(); });
}

TEST(CutToShare, AGroupThatIsMostOfAllIsCut) {
  const std::vector<UnitRange> groups{{0, 1}, {1, 9}, {9, 12}};
  EXPECT_EQ(cut_to_share(groups, 1), groups);
  EXPECT_EQ(cut_to_share(groups, 2),
            (std::vector<UnitRange>{{0, 1}, {1, 4}, {4, 7}, {7, 9}, {9, 12}}));
}

}  // namespace
}  // namespace kvcal
