// SPDX-License-Identifier: Apache-2.0
#include "../../libprofile/store/hdf5.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "kvcal/compress/error.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {
namespace fs = std::filesystem;

template <class Action>
std::string input_error_of(Action&& action) {
  return test::error_of(Kind::input, action);
}

fs::path small_file() {
  const fs::path file = test::scratch_dir() / "a.h5";
  Hdf5Writer writer(file);
  writer.write<double>("/layers/sum", {1.5, 2.5, 3.5, 4.5, 5.5, 6.5}, {2, 3});
  writer.write<std::string>("/names", {"a", "", "h\xC3\xA9"}, {3});
  writer.write_scalar<int64_t>("/count", 7);
  writer.write("/none", std::vector<int32_t>(), {0, 4});
  writer.write<float>("/f", {0.25f}, {1});
  writer.write_attribute<std::string>("/", "title", "x y");
  writer.write_attribute<double>("/layers", "scale", 0.5);
  writer.finish();
  return file;
}

using test::bytes_of;

size_t files_in(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

TEST(Hdf5, WhatWasWrittenIsReadBack) {
  const Hdf5Reader reader(small_file());
  EXPECT_EQ(reader.read<double>("/layers/sum", {2, 3}),
            (std::vector{1.5, 2.5, 3.5, 4.5, 5.5, 6.5}));
  EXPECT_EQ(reader.read<std::string>("/names", {kAnySize}),
            (std::vector<std::string>{"a", "", "h\xC3\xA9"}));
  EXPECT_EQ(reader.read_scalar<int64_t>("/count"), 7);
  EXPECT_TRUE(reader.read<int32_t>("/none", {kAnySize, 4}).empty());
  EXPECT_EQ(reader.read<float>("/f", {1}), std::vector{0.25f});
  EXPECT_EQ(reader.attribute<std::string>("/", "title"), "x y");
  EXPECT_EQ(reader.attribute<double>("/layers", "scale"), 0.5);
  EXPECT_EQ(reader.attribute<int64_t>("/", "complete"), 1);
  EXPECT_EQ(reader.children("/"),
            (std::vector<std::string>{"count", "f", "layers", "names", "none"}));
  EXPECT_EQ(reader.shape("/layers/sum"), (Hdf5Shape{2, 3}));
  EXPECT_EQ(reader.dtype("/names"), "text");
  EXPECT_TRUE(reader.is_group("/layers"));
  EXPECT_FALSE(reader.has("/layers/x/y"));
}

TEST(Hdf5, ANulInTextBecomesTheReplacementCharacter) {
  const fs::path file = test::scratch_dir() / "a.h5";
  Hdf5Writer writer(file);
  writer.write<std::string>("/t", {std::string("a\0b", 3)}, {1});
  writer.finish();
  EXPECT_EQ(Hdf5Reader(file).read<std::string>("/t", {1}).front(),
            "a\xEF\xBF\xBD"
            "b");
}

TEST(Hdf5, AMismatchNamesFilePathFoundAndNeeded) {
  const fs::path file = small_file();
  const Hdf5Reader reader(file);
  const std::string where = file.string();
  EXPECT_EQ(input_error_of([&] {
              reader.read<double>("/layers/sum", {2, 4});
            }),
            where + ": /layers/sum has shape [2, 3], need [2, 4]");
  EXPECT_EQ(input_error_of([&] { reader.read<double>("/layers/sum", {kAnySize}); }),
            where + ": /layers/sum has shape [2, 3], need [n]");
  EXPECT_EQ(input_error_of([&] {
              reader.read<float>("/layers/sum", {2, 3});
            }),
            where + ": /layers/sum is f64, need f32");
  EXPECT_EQ(input_error_of([&] {
              reader.read<float>("/layers/mean", {2, 3});
            }),
            where + ": /layers/mean is missing");
  EXPECT_EQ(input_error_of([&] { reader.attribute<int64_t>("/", "seed"); }),
            where + ": / has no attribute 'seed'");
  EXPECT_EQ(input_error_of([&] { reader.attribute<int64_t>("/", "title"); }),
            where + ": attribute 'title' of / is text, need one i64");
}

TEST(Hdf5, AMissingForeignOrTruncatedFileIsOneSentence) {
  const fs::path folder = test::scratch_dir();
  const std::string where = (folder / "b.h5").string();
  EXPECT_EQ(input_error_of([&] { Hdf5Reader reader(where); }), where + ": no such file");
  EXPECT_EQ(input_error_of([&] { Hdf5Reader reader(folder); }), folder.string() + ": not a file");
  std::ofstream(where) << "text";
  EXPECT_EQ(input_error_of([&] { Hdf5Reader reader(where); }), where + ": not an HDF5 file");
  const std::string whole = bytes_of(small_file());
  std::ofstream(where, std::ios::binary) << whole.substr(0, whole.size() / 2);
  const std::string error = input_error_of([&] { Hdf5Reader reader(where); });
  EXPECT_TRUE(error.starts_with(where + ": damaged or truncated: truncated file")) << error;
}

TEST(Hdf5, ADamagedByteIsFoundBeforeHdf5CrashesOnIt) {
  const fs::path file = small_file();
  const std::string whole = bytes_of(file);
  const size_t heap = whole.find("GCOL");  // of texts: HDF5 does not check it
  ASSERT_NE(heap, std::string::npos);
  std::string damaged = whole;
  damaged[heap + 30] ^= 0x55;
  std::ofstream(file, std::ios::binary) << damaged;
  EXPECT_EQ(input_error_of([&] { Hdf5Reader reader(file); }),
            file.string() + ": damaged: its bytes do not fit the checksum at its end");
}

TEST(Hdf5, AFileWithoutASealIsReadToo) {
  const fs::path file = small_file();
  fs::resize_file(file, bytes_of(file).find("\nkvcal.seal"));
  EXPECT_EQ(Hdf5Reader(file).read_scalar<int64_t>("/count"), 7);
}

TEST(Hdf5, SameInputGivesTheSameBytes) {
  const std::string first = bytes_of(small_file());
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // HDF5's times have whole seconds
  EXPECT_EQ(first, bytes_of(small_file()));
}

TEST(Hdf5, AWriterThatNeverFinishesLeavesTheOldFileAndNothingElse) {
  const fs::path file = small_file();
  const std::string before = bytes_of(file);
  {
    Hdf5Writer writer(file);
    writer.write_scalar<int64_t>("/count", 8);
    EXPECT_EQ(files_in(file.parent_path()), 2u);
  }
  EXPECT_EQ(bytes_of(file), before);
  EXPECT_EQ(files_in(file.parent_path()), 1u);
}

TEST(Hdf5, AFullDiskIsOneErrorAndLeavesTheOldFile) {
  const fs::path file = small_file();
  const std::string before = bytes_of(file);
  rlimit unlimited{};
  getrlimit(RLIMIT_FSIZE, &unlimited);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = unlimited;
  small.rlim_cur = 20000;
  std::string error;
  {
    std::optional<Hdf5Writer> writer(std::in_place, file);
    setrlimit(RLIMIT_FSIZE, &small);
    error = input_error_of([&] {
      writer->write<double>("/big", std::vector<double>(10000, 1.0), {10000});
      writer->finish();
    });
    setrlimit(RLIMIT_FSIZE, &unlimited);
  }
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(error, file.string() + ": cannot write /big: File too large");
  EXPECT_EQ(bytes_of(file), before);
  EXPECT_EQ(files_in(file.parent_path()), 1u);
  EXPECT_EQ(Hdf5Reader(file).read_scalar<int64_t>("/count"), 7);
}

TEST(Hdf5, AnUnwritablePlaceIsOneError) {
  const fs::path file = test::scratch_dir() / "absent" / "a.h5";
  EXPECT_EQ(input_error_of([&] { Hdf5Writer writer(file); }),
            file.string() + ": cannot write the file: No such file or directory");
}

TEST(Hdf5, NamesWithSlashesAreOnePathComponent) {
  EXPECT_EQ(escape_name("jsonl:a/b.jsonl"), "jsonl:a%2Fb.jsonl");
  EXPECT_EQ(escape_name("3%"), "3%");
  EXPECT_EQ(escape_name("3%2F"), "3%252F");
  EXPECT_EQ(escape_name(".."), "%2E.");
  for (const std::string name : {"a/b%c", "..", "%2F", ".", "a.b", "%", "100%", "%%41", "%2"}) {
    EXPECT_EQ(unescape_name(escape_name(name)), name);
  }
  EXPECT_EQ(input_error_of([] { escape_name(""); }),
            "an empty name cannot be stored in an HDF5 file");
}

TEST(Hdf5, FormatsAreRefusedByNameAndByNumber) {
  const auto file_with = [](const std::string& format) {
    const fs::path file = test::scratch_dir() / "a.h5";
    Hdf5Writer writer(file);
    writer.write_attribute("/", "format", format);
    writer.finish();
    return file;
  };
  const auto error_of = [&](const std::string& format) {
    const fs::path file = file_with(format);
    const std::string error =
        input_error_of([&] { Hdf5Reader(file).require_format("kvcal.x", 2); });
    return error == "no error" ? error : error.substr(file.string().size());
  };
  EXPECT_EQ(error_of("kvcal.x/2"), "no error");
  EXPECT_EQ(error_of("kvcal.x/1"), "no error");
  EXPECT_EQ(error_of("kvcal.x/3"),
            ": format kvcal.x/3 is newer than this program reads (up to kvcal.x/2); update kvcal");
  EXPECT_EQ(error_of("kvcal.y/1"), ": format is 'kvcal.y/1', need kvcal.x/2");
  EXPECT_EQ(error_of("kvcal.x"), ": format 'kvcal.x' has no version number, need kvcal.x/2");
  EXPECT_EQ(error_of("kvcal.x/1b"), ": format 'kvcal.x/1b' has no version number, need kvcal.x/2");
}

}  // namespace
}  // namespace kvcal
