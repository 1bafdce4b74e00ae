// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/shards.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "../../libprofile/store/hdf5.hpp"
#include "kvcal/compress/error.hpp"
#include "support/errors.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {
namespace fs = std::filesystem;

const std::string kConfig = "lengths: [500]\nseed: 1\n";

void write_number(Shards& shards, int64_t unit, int64_t number) {
  shards.write(unit, [&](Hdf5Writer& writer) { writer.write_scalar("/number", number); });
}

int64_t read_number(Shards& shards, int64_t unit) {
  int64_t number = -1;
  shards.read(unit,
              [&](const Hdf5Reader& reader) { number = reader.read_scalar<int64_t>("/number"); });
  return number;
}

/// A run that was killed after units 0 and 1.
fs::path killed_run() {
  const fs::path output = test::scratch_dir() / "out.h5";
  auto shards = Shards::open(output, kConfig, OutputMode::fresh);
  write_number(shards, 0, 10);
  write_number(shards, 1, 11);
  return output;
}

/// An output as our programs write it.
void write_output(const fs::path& output) {
  Hdf5Writer writer(output);
  writer.write_attribute("/", "resolved_config", kConfig);
  writer.finish();
}

using test::error_of;

TEST(Shards, AResumedRunTakesOverFinishedUnits) {
  const fs::path output = killed_run();
  auto shards = Shards::open(output, kConfig, OutputMode::resume);
  EXPECT_EQ(shards.count(), 2);
  EXPECT_TRUE(shards.has(0));
  EXPECT_FALSE(shards.has(2));
  EXPECT_EQ(read_number(shards, 1), 11);
  write_number(shards, 2, 12);
  EXPECT_EQ(read_number(shards, 2), 12);
  shards.finish();
  EXPECT_FALSE(fs::exists(output.string() + ".parts"));
}

TEST(Shards, AFreshRunRefusesPartsAndOutputsThatAreThere) {
  const fs::path output = killed_run();
  EXPECT_EQ(error_of(Kind::input, [&] { Shards::open(output, kConfig, OutputMode::fresh); }),
            output.string() +
                ".parts: holds 2 finished parts of an earlier run; use --resume to go on "
                "with it or --force to start over");
  write_output(output);
  EXPECT_EQ(error_of(Kind::input, [&] { Shards::open(output, kConfig, OutputMode::fresh); }),
            output.string() + ": exists already; use --resume or --force");
}

TEST(Shards, ForceStartsOver) {
  const fs::path output = killed_run();
  write_output(output);
  auto shards = Shards::open(output, "seed: 2\n", OutputMode::force);
  EXPECT_EQ(shards.count(), 0);
  EXPECT_TRUE(fs::exists(output));
}

TEST(Shards, ResumingWithAnotherConfigurationNamesTheFirstLineThatDiffers) {
  const fs::path output = killed_run();
  EXPECT_EQ(
      error_of(Kind::config,
               [&] { Shards::open(output, "lengths: [500]\nseed: 2\n", OutputMode::resume); }),
      output.string() +
          ".parts: cannot resume, the configuration differs in line 2: it was "
          "'seed: 1', now it is 'seed: 2'; use the same configuration, or --force "
          "to start over");
  EXPECT_EQ(Shards::open(output, kConfig, OutputMode::resume).count(), 2);
}

TEST(Shards, ResumingAFinishedRunHasNothingToDo) {
  const fs::path output = test::scratch_dir() / "out.h5";
  write_output(output);
  EXPECT_TRUE(Shards::open(output, kConfig, OutputMode::resume).is_finished());
  EXPECT_TRUE(error_of(Kind::config, [&] {
                Shards::open(output, "seed: 2\n", OutputMode::resume);
              }).starts_with(output.string() + ": cannot resume"));
  EXPECT_FALSE(fs::exists(output.string() + ".parts"));
}

TEST(Shards, AnOutputThatIsAddedToMayExist) {
  const fs::path output = test::scratch_dir() / "profile.h5";
  write_output(output);
  auto shards = Shards::open(output, "another", OutputMode::fresh, Shards::Target::updated);
  EXPECT_FALSE(shards.is_finished());
  write_number(shards, 0, 1);
}

TEST(Shards, ADamagedShardIsDoneAgain) {
  const fs::path output = killed_run();
  const fs::path damaged = output.string() + ".parts/00000001.h5";
  fs::resize_file(damaged, fs::file_size(damaged) / 2);
  std::ofstream(output.string() + ".parts/00000002.h5") << "no HDF5";
  auto shards = Shards::open(output, kConfig, OutputMode::resume);
  EXPECT_EQ(shards.count(), 1);
  EXPECT_FALSE(shards.has(1));
  EXPECT_FALSE(fs::exists(damaged));
}

TEST(Shards, AShardThatLacksADatasetIsDoneAgain) {
  const fs::path output = killed_run();
  auto shards = Shards::open(output, kConfig, OutputMode::resume);
  EXPECT_FALSE(shards.read(1, [](const Hdf5Reader& reader) { reader.read<double>("/other", {}); }));
  EXPECT_FALSE(shards.has(1));
  write_number(shards, 1, 5);
  EXPECT_EQ(read_number(shards, 1), 5);
}

TEST(Shards, AUnitThatThrowsLeavesNoShard) {
  const fs::path output = killed_run();
  auto shards = Shards::open(output, kConfig, OutputMode::resume);
  const auto fill = [](Hdf5Writer& writer) {
    writer.write_scalar<int64_t>("/number", 1);
    fail(Kind::numeric, "NaN");
  };
  EXPECT_THROW(shards.write(2, fill), Error);
  EXPECT_FALSE(shards.has(2));
  EXPECT_EQ(Shards::open(output, kConfig, OutputMode::resume).count(), 2);
}

TEST(Shards, ARunWithoutAFinishedUnitLeavesNothing) {
  const fs::path output = test::scratch_dir() / "out.h5";
  { const auto shards = Shards::open(output, kConfig, OutputMode::fresh); }
  EXPECT_TRUE(fs::is_empty(output.parent_path()));
}

TEST(Shards, ForeignFoldersAreLeftAlone) {
  const fs::path output = test::scratch_dir() / "out.h5";
  const fs::path folder = output.string() + ".parts";
  fs::create_directory(folder);
  std::ofstream(folder / "thesis.txt") << "dear";
  EXPECT_EQ(error_of(Kind::input, [&] { Shards::open(output, kConfig, OutputMode::force); }),
            folder.string() + ": is in the way, it is no folder of parts of ours");
  EXPECT_TRUE(fs::exists(folder / "thesis.txt"));
}

TEST(Shards, AnOutputThatCannotBeWrittenIsRefusedBeforeWork) {
  const fs::path folder = test::scratch_dir();
  const fs::path absent = folder / "absent" / "out.h5";
  const std::string sentence =
      absent.string() + ": cannot be written: there is no folder " + absent.parent_path().string();
  EXPECT_EQ(error_of(Kind::input, [&] { Shards::open(absent, "", OutputMode::fresh); }), sentence);
  EXPECT_EQ(error_of(Kind::input, [&] { check_output(absent, OutputMode::force); }), sentence);
  EXPECT_EQ(error_of(Kind::input, [&] { check_output(folder, OutputMode::fresh); }),
            folder.string() + ": cannot be written: it is a folder");
  check_output(folder / "a.json", OutputMode::fresh);
  EXPECT_TRUE(fs::is_empty(folder));
  std::ofstream(folder / "a.json") << "{}";
  EXPECT_EQ(error_of(Kind::input, [&] { check_output(folder / "a.json", OutputMode::fresh); }),
            (folder / "a.json").string() + ": exists already; use --resume or --force");
  check_output(folder / "a.json", OutputMode::force);
}

}  // namespace
}  // namespace kvcal
