// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/team.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "support/errors.hpp"
#include "support/team_case.hpp"

namespace kvcal {
namespace {

using namespace std::chrono_literals;
using test::launch_of;

/// One that nobody listens at.
uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ::close(socket);
  return ntohs(address.sin_port);
}

using TeamTest = test::TeamFixture;

TEST_F(TeamTest, AllMustHaveRankZerosConfiguration) {
  auto root = member(0, 3), same = member(1, 3), other = member(2, 3);
  root.agree("task: niah\nlimit: 3\n");
  same.agree("task: niah\nlimit: 3\n");
  test::expect_error(Kind::config,
                     "rank 2 was started with another configuration: 'limit: 4', rank 0 has "
                     "'limit: 3'",
                     [&] { other.agree("task: niah\nlimit: 4\n"); });
}

TEST_F(TeamTest, AnErrorOfOneRankIsThrownOnRankZero) {
  auto root = member(0), other = member(1);
  root.check();
  other.fail_all(Kind::input, "line 3: no JSON");
  other.fail_all(Kind::config, "what came of it");
  test::expect_error(Kind::input, "line 3: no JSON", [&] { root.check(); });
  other.check();  // it ends when rank 0 does
}

TEST_F(TeamTest, AllEndWithTheExitCodeOfRankZero) {
  auto root = member(0), other = member(1);
  EXPECT_EQ(other.follow(40ms), std::nullopt);
  std::thread ending([&] { root.conclude(3); });
  EXPECT_EQ(other.follow(), 3);
  ending.join();
}

TEST_F(TeamTest, RankZeroDoesNotWaitForTheDead) {
  auto root = member(0);
  { auto dead = member(1); }
  const auto begin = std::chrono::steady_clock::now();
  root.conclude(0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20 * kLease);
}

TEST_F(TeamTest, ASilentRankZeroIsAnError) {
  auto other = member(1);
  { auto dead = member(0); }
  other.check();
  std::this_thread::sleep_for(2 * kLease);
  test::expect_error(Kind::input, "rank 0 is silent", [&] { other.check(); });
}

TEST_F(TeamTest, WhoRetiredLeavesItsWorkToTheOthers) {
  auto root = member(0), other = member(1);
  EXPECT_TRUE(root.is_alive(other.member()));
  EXPECT_EQ(root.count_alive(), 2);
  other.retire();
  EXPECT_FALSE(root.is_alive(other.member()));
  EXPECT_EQ(root.count_alive(), 1);
}

TEST(ClusterStore, RecordsOfAnySizeTravelOverTcp) {
  auto launch = launch_of(0, 2);
  launch.rendezvous = {"127.0.0.1", free_port()};
  auto root = ClusterStore::open(launch);
  launch.rank = 1;
  auto other = ClusterStore::open(launch);
  std::string bytes(9 << 20, 'x');
  bytes[5 << 20] = '\0';
  const auto receipt = other.set_bytes("record", bytes);
  EXPECT_EQ(root.find_bytes("record", receipt), bytes);
  root.remove_bytes("record", receipt);
  EXPECT_EQ(other.find("record/0"), std::nullopt);
  EXPECT_TRUE(root.replace("claim", "", "0.1"));
  EXPECT_FALSE(other.replace("claim", "", "1.1"));
  EXPECT_TRUE(other.replace("claim", "0.1", "1.1"));
  EXPECT_EQ(other.add("count", 2) + root.add("count", 1), 5);
}

TEST(ClusterStore, ALostRankZeroAndATakenPortAreNamed) {
  auto launch = launch_of(0, 2);
  launch.rendezvous = {"127.0.0.1", free_port()};
  auto root = std::make_unique<ClusterStore>(ClusterStore::open(launch));
  test::expect_error(Kind::input, launch.rendezvous.text() + ": cannot listen there",
                     [&] { ClusterStore::open(launch); });
  launch.rank = 1;
  auto other = ClusterStore::open(launch);
  root.reset();
  test::expect_error(Kind::input, "rank 0 at " + launch.rendezvous.text() + " is gone",
                     [&] { other.find("anything"); });
}

}  // namespace
}  // namespace kvcal
