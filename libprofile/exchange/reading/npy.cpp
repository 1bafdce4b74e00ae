// SPDX-License-Identifier: Apache-2.0
#include "exchange/reading/npy.hpp"

#include <bit>
#include <charconv>
#include <cstring>
#include <regex>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

// NumPy, doc/neps/nep-0001-npy-format: magic, version, length of the header, header, data.
constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kVersionBytes = 2;
/// NumPy pads the header of a plain array to 128 bytes; std::regex recurses over what it reads.
constexpr size_t kMostHeaderBytes = 1024;

static_assert(std::endian::native == std::endian::little, "values are copied as they lie");

/// Header text; `bytes` becomes what follows it.
std::string take_header(std::string_view& bytes, const std::string& file) {
  bytes.remove_prefix(kMagic.size());
  require(bytes.size() >= kVersionBytes, Kind::input, "{}: ends inside the .npy header", file);
  const size_t length_bytes = bytes[0] == 1 ? 2 : 4;
  bytes.remove_prefix(kVersionBytes);
  require(bytes.size() >= length_bytes, Kind::input, "{}: ends inside the .npy header", file);
  size_t length = 0;
  for (size_t i = length_bytes; i-- > 0;) length = length << 8 | static_cast<uint8_t>(bytes[i]);
  bytes.remove_prefix(length_bytes);
  require(length <= std::min(bytes.size(), kMostHeaderBytes), Kind::input,
          "{}: .npy header of {} bytes, need at most {}", file, length,
          std::min(bytes.size(), kMostHeaderBytes));
  std::string header(bytes.substr(0, length));
  bytes.remove_prefix(length);
  return header;
}

/// "99, 32, 8" or "5,"
std::vector<int64_t> parse_shape(std::string_view text, const std::string& file) {
  std::vector<int64_t> shape;
  for (const char* at = text.data(); at != text.data() + text.size();) {
    if (*at == ',' || *at == ' ') {
      ++at;
      continue;
    }
    int64_t extent = 0;
    const auto [end, error] = std::from_chars(at, text.data() + text.size(), extent);
    require(error == std::errc(), Kind::input, "{}: shape ({}) is too large", file, text);
    shape.push_back(extent);
    at = end;
  }
  return shape;
}

template <class T>
std::vector<double> copy_values(std::string_view bytes) {
  std::vector<T> stored(bytes.size() / sizeof(T));
  if (!stored.empty()) std::memcpy(stored.data(), bytes.data(), stored.size() * sizeof(T));
  return {stored.begin(), stored.end()};
}

}  // namespace

bool is_npy(std::string_view bytes) {
  return bytes.starts_with(kMagic);
}

NpyArray parse_npy(std::string_view bytes, const std::string& file) {
  require(is_npy(bytes), Kind::input, "{}: not a .npy file", file);
  const std::string header = take_header(bytes, file);
  static const std::regex form(
      R"(\{'descr': '<(f[48])', 'fortran_order': False, 'shape': \(([0-9, ]*)\), \}\s*)");
  std::smatch parts;
  require(std::regex_match(header, parts, form), Kind::input,
          "{}: .npy header is not one of f4 or f8, little-endian, row-major", file);
  NpyArray array;
  array.shape = parse_shape(parts[2].str(), file);
  const bool is_double = parts[1] == "f8";
  size_t size_bytes = is_double ? sizeof(double) : sizeof(float);
  for (const int64_t extent : array.shape) {
    const bool overflows =
        __builtin_mul_overflow(size_bytes, static_cast<size_t>(extent), &size_bytes);
    require(!overflows, Kind::input, "{}: shape ({}) is too large", file, parts[2].str());
  }
  require(size_bytes == bytes.size(), Kind::input,
          "{}: shape ({}) takes {} bytes, the file has {}: truncated?", file, parts[2].str(),
          size_bytes, bytes.size());
  array.values = is_double ? copy_values<double>(bytes) : copy_values<float>(bytes);
  return array;
}

}  // namespace kvcal
