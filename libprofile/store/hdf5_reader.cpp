// SPDX-License-Identifier: Apache-2.0
#include <fmt/ranges.h>
#include <hdf5.h>

#include <algorithm>
#include <charconv>
#include <numeric>

#include "kvcal/compress/error.hpp"
#include "store/hdf5.hpp"
#include "store/hdf5_handle.hpp"

namespace kvcal {
namespace fs = std::filesystem;
namespace h5 = hdf5_detail;
using h5::dtype_of;
using h5::Handle;

namespace {

/// deflate cannot shrink more than about 1030 times, so a dataset that claims more bytes than this
/// many times its file is damaged; checked before memory is asked for.
constexpr int64_t kLargestExpansion = 1100;

std::string text_of(const Hdf5Shape& shape) {
  std::vector<std::string> sizes;
  for (int64_t size : shape) sizes.push_back(size == kAnySize ? "n" : std::to_string(size));
  return fmt::format("[{}]", fmt::join(sizes, ", "));
}

bool fits(const Hdf5Shape& found, const Hdf5Shape& expected) {
  return std::equal(found.begin(), found.end(), expected.begin(), expected.end(),
                    [](int64_t a, int64_t b) { return b == kAnySize || a == b; });
}

int64_t elements(const Hdf5Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

Hdf5Shape shape_of(hid_t space) {
  if (H5Sget_simple_extent_type(space) == H5S_NULL) return {0};
  const int rank = H5Sget_simple_extent_ndims(space);
  std::vector<hsize_t> sizes(std::max(rank, 0));
  if (rank > 0) H5Sget_simple_extent_dims(space, sizes.data(), nullptr);
  return {sizes.begin(), sizes.end()};
}

/// Values of a dataset or attribute through `read(memory type, buffer)`.
template <class T, class Read>
std::vector<T> read_values(int64_t count, hid_t space, Read&& read) {
  const Handle type = h5::memory_type(h5::name_of<T>());
  std::vector<T> values(count);
  if constexpr (std::is_same_v<T, std::string>) {
    std::vector<char*> texts(count, nullptr);
    const bool is_read = read(type.id(), texts.data()) >= 0;
    for (int64_t i = 0; is_read && i < count; ++i) values[i] = texts[i] ? texts[i] : "";
    H5Dvlen_reclaim(type.id(), space, H5P_DEFAULT, texts.data());
    if (!is_read) throw h5::Failure();
  } else {
    if (count > 0 && read(type.id(), values.data()) < 0) throw h5::Failure();
  }
  return values;
}

}  // namespace

Hdf5Reader::Hdf5Reader(const fs::path& file) : file_(file) {
  h5::silence();
  std::error_code missing;
  const auto status = fs::status(file, missing);
  require(fs::exists(status), Kind::input, "{}: no such file", file.string());
  require(fs::is_regular_file(status), Kind::input, "{}: not a file", file.string());
  size_bytes_ = static_cast<int64_t>(fs::file_size(file, missing));
  const htri_t is_hdf5 = H5Fis_hdf5(file.c_str());
  require(is_hdf5 >= 0, Kind::input, "{}: cannot be read: {}", file.string(), h5::reason());
  require(is_hdf5 > 0, Kind::input, "{}: not an HDF5 file", file.string());
  const Handle access = h5::file_access();
  id_ = H5Fopen(file.c_str(), H5F_ACC_RDONLY, access.id());
  require(id_ >= 0, Kind::input, "{}: damaged or truncated: {}", file.string(), h5::reason());
}

Hdf5Reader::~Hdf5Reader() {
  if (id_ >= 0) H5Fclose(id_);
}

Hdf5Reader::Hdf5Reader(Hdf5Reader&& other) noexcept
    : file_(std::move(other.file_)), size_bytes_(other.size_bytes_), id_(other.id_) {
  other.id_ = -1;
}

void Hdf5Reader::require_format(std::string_view name, int64_t version) const {
  const std::string where = file_.string();
  require(has_attribute("/", "format"), Kind::input, "{}: no attribute 'format', need {}/{}", where,
          name, version);
  const auto found = attribute<std::string>("/", "format");
  const size_t slash = found.rfind('/');
  require(found.substr(0, slash) == name, Kind::input, "{}: format is '{}', need {}/{}", where,
          found, name, version);
  int64_t found_version = 0;
  const char* end = found.data() + found.size();
  const auto parsed = std::from_chars(std::min(end, found.data() + slash + 1), end, found_version);
  require(slash != std::string::npos && parsed.ec == std::errc() && parsed.ptr == end &&
              found_version >= 1,
          Kind::input, "{}: format '{}' has no version number, need {}/{}", where, found, name,
          version);
  require(found_version <= version, Kind::input,
          "{}: format {} is newer than this program reads (up to {}/{}); update kvcal", where,
          found, name, version);
  require(has_attribute("/", "complete") && attribute<int64_t>("/", "complete") == 1, Kind::input,
          "{}: was never finished (no attribute complete = 1)", where);
}

bool Hdf5Reader::has(const std::string& path) const {
  return h5::has_link(id_, path);
}

bool Hdf5Reader::is_group(const std::string& path) const {
  if (!has(path)) return false;
  const Handle object(H5Oopen(id_, path.c_str(), H5P_DEFAULT), H5Oclose);
  return object.is_open() && H5Iget_type(object.id()) == H5I_GROUP;
}

std::vector<std::string> Hdf5Reader::children(const std::string& group) const {
  const Handle opened(H5Gopen2(id_, group.c_str(), H5P_DEFAULT), H5Gclose);
  require(opened.is_open(), Kind::input, "{}: no group {}", file_.string(), group);
  std::vector<std::string> names;
  const auto append = [](hid_t, const char* name, const H5L_info_t*, void* into) -> herr_t {
    static_cast<std::vector<std::string>*>(into)->emplace_back(name);
    return 0;
  };
  require(H5Literate(opened.id(), H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, append, &names) >= 0,
          Kind::input, "{}: {} is damaged: {}", file_.string(), group, h5::reason());
  std::sort(names.begin(), names.end());
  return names;
}

namespace {

Handle open_dataset(hid_t file, const fs::path& name, const std::string& path) {
  require(h5::has_link(file, path), Kind::input, "{}: {} is missing", name.string(), path);
  Handle dataset(H5Dopen2(file, path.c_str(), H5P_DEFAULT), H5Dclose);
  require(dataset.is_open(), Kind::input, "{}: {} is not a readable dataset: {}", name.string(),
          path, h5::reason());
  return dataset;
}

}  // namespace

Hdf5Shape Hdf5Reader::shape(const std::string& path) const {
  const Handle dataset = open_dataset(id_, file_, path);
  const Handle space(H5Dget_space(dataset.id()), H5Sclose);
  return shape_of(space.id());
}

std::string Hdf5Reader::dtype(const std::string& path) const {
  const Handle dataset = open_dataset(id_, file_, path);
  return dtype_of(Handle(H5Dget_type(dataset.id()), H5Tclose).id());
}

template <Hdf5Element T>
std::vector<T> Hdf5Reader::read(const std::string& path, const Hdf5Shape& expected) const {
  const Handle dataset = open_dataset(id_, file_, path);
  const Handle type(H5Dget_type(dataset.id()), H5Tclose);
  require(dtype_of(type.id()) == h5::name_of<T>(), Kind::input, "{}: {} is {}, need {}",
          file_.string(), path, dtype_of(type.id()), h5::name_of<T>());
  const Handle space(H5Dget_space(dataset.id()), H5Sclose);
  const Hdf5Shape found = shape_of(space.id());
  require(fits(found, expected), Kind::input, "{}: {} has shape {}, need {}", file_.string(), path,
          text_of(found), text_of(expected));
  const int64_t most =
      kLargestExpansion * size_bytes_ / static_cast<int64_t>(H5Tget_size(type.id()));
  require(H5Sget_simple_extent_npoints(space.id()) <= most, Kind::input,
          "{}: {} claims shape {}, more than the file can hold: it is damaged", file_.string(),
          path, text_of(found));
  try {
    return read_values<T>(elements(found), space.id(), [&](hid_t memory, void* buffer) {
      return H5Dread(dataset.id(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer);
    });
  } catch (const h5::Failure&) {
    fail(Kind::input, "{}: {} cannot be read: {}", file_.string(), path, h5::reason());
  }
}

std::vector<std::string> Hdf5Reader::attribute_names(const std::string& path) const {
  std::vector<std::string> names;
  const auto append = [](hid_t, const char* name, const H5A_info_t*, void* into) -> herr_t {
    static_cast<std::vector<std::string>*>(into)->emplace_back(name);
    return 0;
  };
  hsize_t position = 0;
  const Handle object(H5Oopen(id_, path.c_str(), H5P_DEFAULT), H5Oclose);
  require(object.is_open() && H5Aiterate2(object.id(), H5_INDEX_NAME, H5_ITER_NATIVE, &position,
                                          append, &names) >= 0,
          Kind::input, "{}: the attributes of {} cannot be read: {}", file_.string(), path,
          h5::reason());
  std::sort(names.begin(), names.end());
  return names;
}

bool Hdf5Reader::has_attribute(const std::string& path, const std::string& name) const {
  return H5Aexists_by_name(id_, path.c_str(), name.c_str(), H5P_DEFAULT) > 0;
}

std::string Hdf5Reader::attribute_dtype(const std::string& path, const std::string& name) const {
  const Handle opened(H5Aopen_by_name(id_, path.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT),
                      H5Aclose);
  require(opened.is_open(), Kind::input, "{}: {} has no attribute '{}'", file_.string(), path,
          name);
  return dtype_of(Handle(H5Aget_type(opened.id()), H5Tclose).id());
}

template <Hdf5Attribute T>
T Hdf5Reader::attribute(const std::string& path, const std::string& name) const {
  const std::string found = attribute_dtype(path, name);
  const Handle opened(H5Aopen_by_name(id_, path.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT),
                      H5Aclose);
  const Handle space(H5Aget_space(opened.id()), H5Sclose);
  const bool is_single = H5Sget_simple_extent_npoints(space.id()) == 1;
  require(is_single && found == h5::name_of<T>(), Kind::input,
          "{}: attribute '{}' of {} is {}{}, need one {}", file_.string(), name, path, found,
          is_single ? "" : " with another count than one", h5::name_of<T>());
  try {
    return read_values<T>(
               1, space.id(),
               [&](hid_t memory, void* buffer) { return H5Aread(opened.id(), memory, buffer); })
        .front();
  } catch (const h5::Failure&) {
    fail(Kind::input, "{}: attribute '{}' of {} cannot be read: {}", file_.string(), name, path,
         h5::reason());
  }
}

template std::vector<int32_t> Hdf5Reader::read(const std::string&, const Hdf5Shape&) const;
template std::vector<int64_t> Hdf5Reader::read(const std::string&, const Hdf5Shape&) const;
template std::vector<float> Hdf5Reader::read(const std::string&, const Hdf5Shape&) const;
template std::vector<double> Hdf5Reader::read(const std::string&, const Hdf5Shape&) const;
template std::vector<std::string> Hdf5Reader::read(const std::string&, const Hdf5Shape&) const;
template int64_t Hdf5Reader::attribute(const std::string&, const std::string&) const;
template double Hdf5Reader::attribute(const std::string&, const std::string&) const;
template std::string Hdf5Reader::attribute(const std::string&, const std::string&) const;

}  // namespace kvcal
