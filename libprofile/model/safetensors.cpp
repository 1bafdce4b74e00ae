// SPDX-License-Identifier: Apache-2.0
#include "model/safetensors.hpp"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace fs = std::filesystem;
using nlohmann::json;
namespace {

constexpr size_t kLengthBytes = 8;                 // the file starts with the header's length
constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the limit of the reference implementation

size_t element_bytes(const std::string& dtype) {
  static const std::map<std::string, size_t> known = {
      {"F64", 8}, {"I64", 8}, {"U64", 8},  {"F32", 4},     {"I32", 4},
      {"U32", 4}, {"F16", 2}, {"BF16", 2}, {"I16", 2},     {"U16", 2},
      {"I8", 1},  {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
  const auto found = known.find(dtype);
  return found == known.end() ? 0 : found->second;
}

/// The header's text; what follows it is the data.
std::string_view header_text(std::span<const std::byte> bytes, const std::string& file) {
  require(bytes.size() >= kLengthBytes, Kind::input,
          "{}: {} bytes, too short for a safetensors file", file, bytes.size());
  uint64_t length = 0;
  for (size_t i = kLengthBytes; i-- > 0;)
    length = length << 8 | std::to_integer<uint64_t>(bytes[i]);
  require(length <= kMaxHeaderBytes && length <= bytes.size() - kLengthBytes, Kind::input,
          "{}: header of {} bytes does not fit the file of {} bytes: truncated, or not safetensors",
          file, length, bytes.size());
  return {reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, static_cast<size_t>(length)};
}

/// A list of whole numbers that are not negative.
std::vector<int64_t> whole_numbers(const json& entry, const char* key, const std::string& where) {
  const auto found = entry.find(key);
  const bool is_list =
      found != entry.end() && found->is_array() &&
      std::ranges::all_of(*found, [](const json& n) { return n.is_number_unsigned(); });
  require(is_list, Kind::input, "{}: {} = {}, need a list of whole numbers", where, key,
          found == entry.end() ? "nothing" : found->dump());
  std::vector<int64_t> numbers;
  for (const auto& number : *found) {
    const auto value = number.get<uint64_t>();
    require(value <= INT64_MAX, Kind::input, "{}: {} has {}, too large", where, key, value);
    numbers.push_back(static_cast<int64_t>(value));
  }
  return numbers;
}

/// Bytes that a shape needs; a product that overflows is an error.
size_t shape_bytes(const TensorEntry& entry, const std::string& where) {
  size_t bytes = element_bytes(entry.dtype);
  for (int64_t extent : entry.shape) {
    const bool overflows = __builtin_mul_overflow(bytes, static_cast<size_t>(extent), &bytes);
    require(!overflows, Kind::input, "{}: shape [{}] is too large", where,
            fmt::join(entry.shape, ", "));
  }
  return bytes;
}

TensorEntry parse_entry(const json& described, const std::string& where, size_t data_start,
                        size_t data_bytes) {
  require(described.is_object(), Kind::input, "{}: {}, need an object", where,
          described.type_name());
  TensorEntry entry;
  const auto dtype = described.find("dtype");
  require(dtype != described.end() && dtype->is_string() && element_bytes(*dtype) > 0, Kind::input,
          "{}: dtype = {}, need a safetensors dtype such as F32 or BF16", where,
          dtype == described.end() ? "nothing" : dtype->dump());
  entry.dtype = dtype->get<std::string>();
  entry.shape = whole_numbers(described, "shape", where);

  const auto offsets = whole_numbers(described, "data_offsets", where);
  require(offsets.size() == 2 && offsets[0] <= offsets[1], Kind::input,
          "{}: data_offsets = [{}], need [begin, end]", where, fmt::join(offsets, ", "));
  require(static_cast<size_t>(offsets[1]) <= data_bytes, Kind::input,
          "{}: ends at byte {} of the data, the file has {}: truncated?", where, offsets[1],
          data_bytes);
  entry.begin_bytes = data_start + static_cast<size_t>(offsets[0]);
  entry.size_bytes = static_cast<size_t>(offsets[1] - offsets[0]);

  const size_t needed = shape_bytes(entry, where);
  require(needed == entry.size_bytes, Kind::input,
          "{}: {} [{}] takes {} bytes, data_offsets give {}", where, entry.dtype,
          fmt::join(entry.shape, ", "), needed, entry.size_bytes);
  return entry;
}

at::ScalarType to_scalar_type(const TensorEntry& entry, const std::string& where) {
  if (entry.dtype == "F32") return at::kFloat;
  if (entry.dtype == "BF16") return at::kBFloat16;
  if (entry.dtype == "F16") return at::kHalf;
  fail(Kind::input, "{}: dtype {} is not supported, need F32, BF16 or F16", where, entry.dtype);
}

std::string place(const std::string& file, const std::string& tensor) {
  return fmt::format("{}: tensor '{}'", file, tensor);
}

}  // namespace

std::map<std::string, TensorEntry> parse_safetensors(std::span<const std::byte> bytes,
                                                     const std::string& file) {
  const std::string_view text = header_text(bytes, file);
  const size_t data_start = kLengthBytes + text.size();
  std::map<std::string, TensorEntry> entries;
  try {
    const json header = json::parse(text);
    require(header.is_object(), Kind::input, "{}: header is {}, need an object", file,
            header.type_name());
    for (const auto& [name, described] : header.items()) {
      if (name == "__metadata__") continue;
      entries.emplace(
          name, parse_entry(described, place(file, name), data_start, bytes.size() - data_start));
    }
  } catch (const json::exception& error) {
    fail(Kind::input, "{}: header is not JSON: {}", file, error.what());
  }
  return entries;
}

SafetensorsFile::SafetensorsFile(const fs::path& path) : path_(path.string()) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  require(descriptor >= 0, Kind::input, "{}: cannot be opened: {}", path_,
          std::generic_category().message(errno));
  struct stat status {};
  const bool is_file =
      ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0;
  void* mapped = MAP_FAILED;
  if (is_file) {
    size_bytes_ = static_cast<size_t>(status.st_size);
    mapped = ::mmap(nullptr, size_bytes_, PROT_READ, MAP_PRIVATE, descriptor, 0);
  }
  ::close(descriptor);
  require(is_file, Kind::input, "{}: empty or not a file", path_);
  require(mapped != MAP_FAILED, Kind::input, "{}: cannot be mapped: {}", path_,
          std::generic_category().message(errno));
  data_ = static_cast<const std::byte*>(mapped);
  try {
    entries_ = parse_safetensors({data_, size_bytes_}, path_);
  } catch (...) {
    ::munmap(mapped, size_bytes_);
    throw;
  }
}

SafetensorsFile::~SafetensorsFile() {
  ::munmap(const_cast<std::byte*>(data_), size_bytes_);
}

std::span<const std::byte> SafetensorsFile::bytes(const TensorEntry& entry) const {
  return {data_ + entry.begin_bytes, entry.size_bytes};
}

void SafetensorsFile::release(const TensorEntry& entry) const {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t begin =
      entry.begin_bytes / page * page;  // a neighbour's page is read again if needed
  ::madvise(const_cast<std::byte*>(data_) + begin, entry.begin_bytes + entry.size_bytes - begin,
            MADV_DONTNEED);
}

SafetensorsModel::SafetensorsModel(const fs::path& directory) : directory_(directory.string()) {
  const fs::path single = directory / "model.safetensors";
  const fs::path index = directory / "model.safetensors.index.json";
  require(fs::exists(single) || fs::exists(index), Kind::input,
          "{}: neither model.safetensors nor model.safetensors.index.json is there", directory_);
  if (fs::exists(single)) {
    const auto& file = open(single);
    for (const auto& [name, entry] : file.entries()) file_of_[name] = &file;
    return;
  }
  try {
    std::ifstream stream(index);
    const json read = json::parse(stream);
    for (const auto& [name, shard] : read.at("weight_map").items()) {
      const fs::path shard_name = shard.get<std::string>();
      require(shard_name == shard_name.filename(), Kind::input,
              "{}: '{}' is in {}, need a file name", index.string(), name, shard_name.string());
      const auto& file = open(directory / shard_name);
      require(file.entries().contains(name), Kind::input,
              "{}: no tensor '{}', which the index puts there", file.path(), name);
      file_of_[name] = &file;
    }
  } catch (const json::exception& error) {
    fail(Kind::input, "{}: need an object with a weight_map: {}", index.string(), error.what());
  }
}

const SafetensorsFile& SafetensorsModel::open(const fs::path& path) {
  auto& slot = files_[path.string()];
  if (!slot) slot = std::make_unique<SafetensorsFile>(path);
  return *slot;
}

const SafetensorsFile& SafetensorsModel::file_of(const std::string& name) const {
  const auto found = file_of_.find(name);
  require(found != file_of_.end(), Kind::input, "{}: no tensor '{}' among the {} of the weights",
          directory_, name, file_of_.size());
  return *found->second;
}

at::ScalarType SafetensorsModel::dtype(const std::string& name) const {
  const auto& file = file_of(name);
  return to_scalar_type(file.entries().at(name), place(file.path(), name));
}

void SafetensorsModel::read(const std::string& name, at::Tensor out) const {
  const auto& file = file_of(name);
  const TensorEntry& entry = file.entries().at(name);
  const auto where = place(file.path(), name);
  const auto stored = to_scalar_type(entry, where);
  require(at::IntArrayRef(entry.shape) == out.sizes(), Kind::input, "{}: shape [{}], need [{}]",
          where, fmt::join(entry.shape, ", "), fmt::join(out.sizes(), ", "));

  const auto bytes = file.bytes(entry);
  if (stored == out.scalar_type()) {
    std::memcpy(out.data_ptr(), bytes.data(), bytes.size());
  } else {
    auto copied =
        at::empty(out.sizes(), out.options().dtype(stored));  // the mapping may be unaligned
    std::memcpy(copied.data_ptr(), bytes.data(), bytes.size());
    out.copy_(copied);
  }
  file.release(entry);
}

}  // namespace kvcal
