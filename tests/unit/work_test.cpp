// SPDX-License-Identifier: Apache-2.0
// Work from rank 0's side. Another process is played by its queue alone; whole programs in several
// processes are run by tests/cli.
#include "kvcal/profile/work.hpp"

#include <gtest/gtest.h>

#include "cluster/work_queue.hpp"
#include "store/hdf5.hpp"
#include "support/errors.hpp"
#include "support/paths.hpp"
#include "support/team_case.hpp"

namespace kvcal {
namespace {

class WorkTest : public test::TeamFixture {
 protected:
  static WriteRecord record(double value) {
    return [value](Hdf5Writer& file) { file.write_scalar<double>("/value", value); };
  }

  /// The bytes of a record, as another process sends them.
  static std::string sent(double value) {
    auto shards = Shards::open(test::scratch_dir() / "other.h5", "", OutputMode::fresh);
    shards.write(0, record(value));
    return shards.bytes(0);
  }

  /// Units are worth their number; what is `taken` and `made` is written down.
  UnitWork work() {
    return {
        [this](int64_t unit) {
          made_.push_back(unit);
          return record(static_cast<double>(unit));
        },
        [this](int64_t, const Hdf5Reader& file) { value_ = file.read_scalar<double>("/value"); },
        [this](int64_t unit, bool is_new) {
          taken_.push_back({unit, value_});
          new_units_ += is_new ? 1 : 0;
          return unit != last_;
        }};
  }

  using Taken = std::vector<std::pair<int64_t, double>>;
  const std::filesystem::path output_ = test::scratch_dir() / "out.h5";
  std::vector<int64_t> made_;
  Taken taken_;
  double value_ = 0;
  int64_t new_units_ = 0, last_ = -1;
};

TEST_F(WorkTest, AProcessAloneMakesAndTakesUnitAfterUnit) {
  Team alone = member(0, 1);
  Work all(alone, output_, "config", OutputMode::fresh);
  all.run({{3, 5}, {5, 6}}, work());
  EXPECT_EQ(made_, (std::vector<int64_t>{3, 4, 5}));
  EXPECT_EQ(taken_, (Taken{{3, 3}, {4, 4}, {5, 5}}));
  EXPECT_EQ(new_units_, 3);
}

TEST_F(WorkTest, UnitsOfAGroupAreMadeAtOnceAndTakenInOrder) {
  Team alone = member(0, 1);
  Work all(alone, output_, "config", OutputMode::fresh);
  auto both = work();
  both.make = [&](int64_t unit) { return record(static_cast<double>(unit)); };
  both.after = [&](int64_t unit, bool) {
    taken_.push_back({unit, value_});
    return true;
  };
  both.at_once = 3;
  all.run(unit_groups(0, 8, 3), both);
  ASSERT_EQ(taken_.size(), 8u);
  for (int64_t unit = 0; unit < 8; ++unit) {
    EXPECT_EQ(taken_[static_cast<size_t>(unit)], std::pair(unit, static_cast<double>(unit)));
  }
}

TEST_F(WorkTest, OfUnitsMadeAtOnceTheFirstErrorEndsTheRun) {
  Team alone = member(0, 1);
  Work all(alone, output_, "config", OutputMode::fresh);
  auto failing = work();
  failing.make = [](int64_t unit) -> WriteRecord {
    fail(Kind::input, "unit {} cannot be made", unit);
  };
  failing.at_once = 4;
  test::expect_error(Kind::input, "unit 0 cannot be made",
                     [&] { all.run(unit_groups(0, 4, 4), failing); });
}

TEST_F(WorkTest, TheRestIsNotMadeWhenItIsEnough) {
  Team alone = member(0, 1);
  Work all(alone, output_, "config", OutputMode::fresh);
  last_ = 1;
  all.run(single_units(0, 9), work());
  EXPECT_EQ(made_, (std::vector<int64_t>{0, 1}));
}

TEST_F(WorkTest, AResumedRunMakesWhatIsMissingOrDamaged) {
  Team alone = member(0, 1);
  last_ = 2;
  {
    Work first(alone, output_, "config", OutputMode::fresh);
    first.run(single_units(0, 4), work());
  }
  // Sound as a file, but without the value.
  auto shards = Shards::open(output_, "config", OutputMode::resume);
  shards.write(1, [](Hdf5Writer&) {});
  made_.clear(), taken_.clear(), new_units_ = 0, last_ = -1;
  store_ = ClusterStore::in_memory();
  Team again = member(0, 1);
  Work all(again, output_, "config", OutputMode::resume);
  all.run(single_units(0, 4), work());
  EXPECT_EQ(made_, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(taken_, (Taken{{0, 0}, {1, 1}, {2, 2}, {3, 3}}));
  EXPECT_EQ(new_units_, 2);
}

TEST_F(WorkTest, RecordsOfOthersAreTakenInOrder) {
  Team root = member(0, 2), other = member(1, 2);
  WorkQueue queue(other, "run/0", single_units(0, 4));
  EXPECT_EQ(queue.next(), 0);
  EXPECT_EQ(queue.next(), 1);
  queue.deliver(1, sent(-1));
  queue.deliver(0, sent(-2));
  EXPECT_EQ(queue.next(), 2);
  queue.deliver(2, sent(-3));
  Work all(root, output_, "config", OutputMode::fresh);
  all.run(single_units(0, 4), work());
  EXPECT_EQ(made_, std::vector<int64_t>{3});
  EXPECT_EQ(taken_, (Taken{{0, -2}, {1, -1}, {2, -3}, {3, 3}}));
}

TEST_F(WorkTest, WhatADeadProcessHadIsMade) {
  Team root = member(0, 2);
  {
    Team dying = member(1, 2);
    WorkQueue queue(dying, "run/0", single_units(0, 3));
    EXPECT_EQ(queue.next(), 0);
  }
  Work all(root, output_, "config", OutputMode::fresh);
  all.run(single_units(0, 3), work());
  EXPECT_EQ(made_, (std::vector<int64_t>{1, 2, 0}));
  EXPECT_EQ(taken_, (Taken{{0, 0}, {1, 1}, {2, 2}}));
}

TEST_F(WorkTest, ARecordThatArrivedDamagedIsMadeHere) {
  Team root = member(0, 2), other = member(1, 2);
  WorkQueue queue(other, "run/0", single_units(0, 1));
  EXPECT_EQ(queue.next(), 0);
  auto bytes = sent(-1);
  bytes[bytes.size() / 2] ^= 1;
  queue.deliver(0, bytes);
  Work all(root, output_, "config", OutputMode::fresh);
  all.run(single_units(0, 1), work());
  EXPECT_EQ(taken_, (Taken{{0, 0}}));
}

TEST_F(WorkTest, AnErrorOfAnotherProcessEndsTheRun) {
  Team root = member(0, 2), other = member(1, 2);
  Work all(root, output_, "config", OutputMode::fresh);
  other.fail_all(Kind::input, "prompts.jsonl:7: no answer");
  test::expect_error(Kind::input, "prompts.jsonl:7: no answer",
                     [&] { all.run(single_units(0, 2), work()); });
  EXPECT_EQ(made_, std::vector<int64_t>{});
}

TEST_F(WorkTest, AnotherRankSendsWhatItMakesAndTakesNothing) {
  Team root = member(0, 2), other = member(1, 2);
  root.agree("config");
  WorkQueue queue(root, "run/0", single_units(0, 3));
  queue.keep(1);
  queue.open();
  Work all(other, output_, "config", OutputMode::fresh);
  all.run(single_units(0, 3), work());
  EXPECT_EQ(made_, (std::vector<int64_t>{0, 2}));
  EXPECT_EQ(taken_, Taken{});
  EXPECT_EQ(queue.receive(2), sent(2));
  EXPECT_FALSE(std::filesystem::exists(output_.string() + ".parts"));
}

}  // namespace
}  // namespace kvcal
