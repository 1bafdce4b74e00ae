// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/device.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "kvcal/compress/error.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

const std::string kSheet =
    "name: mine\nsummary: A device\nparams:\n  memory_gib: 2\n  bandwidth_gb_s: 100\n"
    "  matrix_tflop_s: 8\n  matrix_f32_tflop_s: 2\n  bandwidth_share: 0.5\n  matrix_share: 0.25\n"
    "  attention_share: 0.125\n  layer_us: 10\n";

std::string write(const std::string& text) {
  const auto file = test::scratch_dir() / "mine.yaml";
  std::ofstream(file) << text;
  return file.string();
}

std::string error_of(const std::string& spec) {
  try {
    load_device(spec, 2);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::config);
    return error.what();
  }
  return "no error";
}

TEST(Device, IsItsDatasheetTimesTheSharesThatAreReached) {
  const Device device = load_device(write(kSheet), 2);
  EXPECT_EQ(device.name, "mine");
  EXPECT_EQ(device.memory_bytes, int64_t{2} << 30);
  EXPECT_DOUBLE_EQ(device.matrix_flops, 2e12);
  EXPECT_DOUBLE_EQ(device.row_flops, 2e12);
  EXPECT_DOUBLE_EQ(device.attention_flops, 1e12);
  EXPECT_DOUBLE_EQ(device.bytes_per_second, 50e9);
  EXPECT_DOUBLE_EQ(device.layer_seconds, 1e-5);
  EXPECT_DOUBLE_EQ(load_device(write(kSheet), 4).matrix_flops, 0.5e12);
}

TEST(Device, EveryFileOfConfigsIsOne) {
  ASSERT_GE(known_devices().size(), 3u);
  for (const auto& name : known_devices()) EXPECT_EQ(load_device(name, 2).name, name);
}

TEST(Device, WhatIsUnknownOrMissingIsNamed) {
  EXPECT_EQ(error_of("h20").substr(0, 47), "unknown device 'h20', did you mean 'h200'? (kno");
  const std::string file = write("name: mine\nparams:\n  memory_gib: 2\n");
  EXPECT_EQ(error_of(file), file +
                                ":2: params lack bandwidth_gb_s, of that memory, 1e9 bytes a "
                                "second");
  const std::string wrong = write(kSheet + "  speed: 1\n");
  EXPECT_EQ(error_of(wrong).substr(0, wrong.size() + 38),
            wrong + ":12: a device has no parameter 'speed'");
}

TEST(Device, ThisMachineIsMeasuredAtTheModelsShapes) {
  const auto model = read_model_config(test::test_file("parity/model/tiny_llama"));
  const Device device = measure_cpu(model, 2);
  // From a slow emulator to a large server.
  EXPECT_GT(device.matrix_flops, 1e6);
  EXPECT_LT(device.matrix_flops, 1e16);
  EXPECT_GT(device.attention_flops, 1e6);
  EXPECT_GT(device.column_flops, 1e6);
  EXPECT_GT(device.row_flops, 1e6);
  EXPECT_GT(device.bytes_per_second, 1e7);
  EXPECT_LT(device.bytes_per_second, 1e13);
}

}  // namespace
}  // namespace kvcal
