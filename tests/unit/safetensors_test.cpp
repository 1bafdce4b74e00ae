// SPDX-License-Identifier: Apache-2.0
#include "../../libprofile/model/safetensors.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>

#include "kvcal/compress/error.hpp"
#include "support/errors.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

/// A whole file: length, header, data.
std::string file_bytes(const std::string& header, const std::string& data) {
  std::string length(8, '\0');
  for (size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> (8 * i));
  return length + header + data;
}

std::map<std::string, TensorEntry> parse(const std::string& bytes) {
  return parse_safetensors(std::as_bytes(std::span(bytes.data(), bytes.size())), "a.safetensors");
}

template <class Action>
std::string error_of(const Action& action) {
  return test::error_of(Kind::input, action);
}

std::string parse_error(const std::string& header,
                        const std::string& data = std::string(16, '\0')) {
  return error_of([&] { parse(file_bytes(header, data)); });
}

void write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string floats(std::vector<float> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

TEST(Safetensors, EntriesCarryDtypeShapeAndPlace) {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]}})";
  const auto entries = parse(file_bytes(header, std::string(16, '\0')));
  ASSERT_EQ(entries.size(), 1U);
  const auto& entry = entries.at("a");
  EXPECT_EQ(entry.dtype, "F32");
  EXPECT_EQ(entry.shape, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(entry.begin_bytes, 8 + header.size() + 8);
  EXPECT_EQ(entry.size_bytes, 8U);
}

TEST(Safetensors, AHeaderThatDoesNotFitTheFileIsRefused) {
  EXPECT_EQ(error_of([] { parse("abc"); }),
            "a.safetensors: 3 bytes, too short for a safetensors file");
  EXPECT_EQ(error_of([] { parse(file_bytes("{}", "").substr(0, 9)); }),
            "a.safetensors: header of 2 bytes does not fit the file of 9 bytes: truncated, or not "
            "safetensors");
  EXPECT_EQ(
      error_of([] { parse(std::string(32, '\xff')); }),
      "a.safetensors: header of 18446744073709551615 bytes does not fit the file of 32 bytes: "
      "truncated, or not safetensors");
}

TEST(Safetensors, AHeaderThatIsNoObjectIsRefused) {
  EXPECT_EQ(parse_error("[1]"), "a.safetensors: header is array, need an object");
  EXPECT_EQ(parse_error("{\"a\""), parse_error("{\"a\""));
  EXPECT_NE(parse_error("{\"a\"").find("a.safetensors: header is not JSON"), std::string::npos);
  EXPECT_EQ(parse_error(R"({"a":3})"), "a.safetensors: tensor 'a': number, need an object");
}

TEST(Safetensors, DtypeShapeAndOffsetsAreChecked) {
  EXPECT_EQ(
      parse_error(R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})"),
      "a.safetensors: tensor 'a': dtype = \"F33\", need a safetensors dtype such as F32 or BF16");
  EXPECT_EQ(parse_error(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})"),
            "a.safetensors: tensor 'a': shape = [-1], need a list of whole numbers");
  EXPECT_EQ(parse_error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})"),
            "a.safetensors: tensor 'a': data_offsets = [4, 0], need [begin, end]");
  EXPECT_EQ(parse_error(R"({"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]}})"),
            "a.safetensors: tensor 'a': ends at byte 32 of the data, the file has 16: truncated?");
  EXPECT_EQ(parse_error(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})"),
            "a.safetensors: tensor 'a': F32 [2] takes 8 bytes, data_offsets give 4");
  EXPECT_EQ(
      parse_error(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})"),
      "a.safetensors: tensor 'a': shape [4611686018427387904, 4] is too large");
}

TEST(Safetensors, ReadingConvertsAndUnalignedDataIsFine) {
  const auto directory = test::scratch_dir();
  const std::string header = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} )";
  ASSERT_NE((8 + header.size()) % 4, 0U) << "data must not be aligned";
  write(directory / "model.safetensors", file_bytes(header, floats({1.5F, -2})));
  const SafetensorsModel model(directory);
  auto exact = at::empty({2}, at::kFloat);
  model.read("a", exact);
  EXPECT_TRUE(exact.equal(at::tensor({1.5F, -2.0F})));
  auto rounded = at::empty({2}, at::kBFloat16);
  model.read("a", rounded);
  EXPECT_TRUE(rounded.to(at::kFloat).equal(at::tensor({1.5F, -2.0F})));
}

TEST(Safetensors, ReadingNamesWhatIsMissingOrWrong) {
  const auto directory = test::scratch_dir();
  write(directory / "model.safetensors",
        file_bytes(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                   R"("b":{"dtype":"I32","shape":[2],"data_offsets":[8,16]}})",
                   std::string(16, '\0')));
  const SafetensorsModel model(directory);
  const auto where = directory.string();
  const auto read = [&](const char* name, at::IntArrayRef shape) {
    return error_of([&] { model.read(name, at::empty(shape, at::kFloat)); });
  };
  EXPECT_EQ(read("c", {2}), where + ": no tensor 'c' among the 2 of the weights");
  EXPECT_EQ(read("a", {1, 2}), where + "/model.safetensors: tensor 'a': shape [2], need [1, 2]");
  EXPECT_EQ(
      read("b", {2}),
      where + "/model.safetensors: tensor 'b': dtype I32 is not supported, need F32, BF16 or F16");
}

TEST(Safetensors, AnIndexNamesTheShards) {
  const auto directory = test::scratch_dir();
  const auto shard = [](const char* name) {
    return std::string(R"({")") + name + R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  };
  write(directory / "one.safetensors", file_bytes(shard("a"), floats({1})));
  write(directory / "two.safetensors", file_bytes(shard("b"), floats({2})));
  const auto index = directory / "model.safetensors.index.json";

  write(index, R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  auto value = at::empty({1}, at::kFloat);
  SafetensorsModel(directory).read("b", value);
  EXPECT_EQ(value.item<float>(), 2);

  const auto load_error = [&] { return error_of([&] { SafetensorsModel model(directory); }); };
  write(index, R"({"weight_map":{"a":"two.safetensors"}})");
  EXPECT_EQ(load_error(), (directory / "two.safetensors").string() +
                              ": no tensor 'a', which the index puts there");
  write(index, R"({"weight_map":{"a":"../two.safetensors"}})");
  EXPECT_EQ(load_error(), index.string() + ": 'a' is in ../two.safetensors, need a file name");
  write(index, "{}");
  EXPECT_NE(load_error().find("need an object with a weight_map"), std::string::npos);
}

TEST(Safetensors, AFolderWithoutWeightsIsRefused) {
  const auto directory = test::scratch_dir();
  EXPECT_EQ(
      error_of([&] { SafetensorsModel model(directory); }),
      directory.string() + ": neither model.safetensors nor model.safetensors.index.json is there");
}

}  // namespace
}  // namespace kvcal
