// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/parallel.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

/// Machines that run the tests may have one core.
class Parallel : public ::testing::Test {
 protected:
  Parallel() { at::set_num_threads(4); }
  ~Parallel() override { at::set_num_threads(before_); }

 private:
  int before_ = at::get_num_threads();
};

TEST_F(Parallel, EachTaskRunsOnce) {
  for (const int64_t count : {0, 1, 3, 100}) {
    std::vector<std::atomic<int>> times(static_cast<size_t>(count));
    share_out(count, [&](int64_t i) { ++times[static_cast<size_t>(i)]; });
    parallel_tasks(count, [&](int64_t i) { ++times[static_cast<size_t>(i)]; });
    for (const auto& of_task : times) EXPECT_EQ(of_task, 2);
  }
}

TEST_F(Parallel, TheFirstTasksErrorIsThrown) {
  std::atomic<int> done = 0;
  try {
    share_out(20, [&](int64_t i) {
      if (i == 17 || i == 4) fail(Kind::input, "task {}", i);
      ++done;
    });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "task 4");
  }
  EXPECT_EQ(done, 18) << "the others are not left undone";
}

TEST_F(Parallel, TasksOnLargeTensorsComeOneAfterTheOther) {
  const auto small = at::empty({1024}), large = at::empty({1}).expand({1 << 23});
  std::vector<int64_t> order;
  share_out(large, 9, [&](int64_t i) {
    EXPECT_EQ(parallel_threads(), 4);
    order.push_back(i);
  });
  EXPECT_EQ(order, (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8}));
  share_out(small, 9, [&](int64_t) { EXPECT_EQ(parallel_threads(), 1); });
}

TEST_F(Parallel, WithinATaskThereIsOneThread) {
  EXPECT_EQ(parallel_threads(), 4);
  parallel_tasks(4, [](int64_t) { EXPECT_EQ(parallel_threads(), 1); });
  share_out(1, [](int64_t) { EXPECT_EQ(parallel_threads(), 4) << "a task alone has all of them"; });
}

}  // namespace
}  // namespace kvcal
