// SPDX-License-Identifier: Apache-2.0
// What reader and writer share: owned ids of the HDF5 C API, element types, the reason of a
// failure. Private to store/hdf5_*.cpp; everybody else uses hdf5.hpp.
#pragma once

#include <hdf5.h>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "store/hdf5.hpp"

namespace kvcal::hdf5_detail {

class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;

  hid_t id() const { return id_; }
  bool is_open() const { return id_ >= 0; }

 private:
  hid_t id_;
  Close close_;
};

/// Stops HDF5 from printing its error stack to stderr.
void silence();

/// The innermost cause on HDF5's error stack, the operating system's words where it has them.
std::string reason();

/// Access properties: groups as since HDF5 1.8 (smaller, with checksums), no locks (files are
/// written aside and renamed, and locks fail on some network file systems).
Handle file_access();

/// Every component of the path exists.
bool has_link(hid_t file, const std::string& path);

template <Hdf5Element T>
constexpr std::string_view name_of() {
  if constexpr (std::is_same_v<T, int32_t>) return "i32";
  if constexpr (std::is_same_v<T, int64_t>) return "i64";
  if constexpr (std::is_same_v<T, float>) return "f32";
  if constexpr (std::is_same_v<T, double>) return "f64";
  if constexpr (std::is_same_v<T, std::string>) return "text";
}

/// `name_of` of a stored type; "other" for types that our formats do not use.
std::string dtype_of(hid_t type);

/// A fresh copy of the type, in memory or (little-endian) in the file.
Handle memory_type(std::string_view dtype);
Handle file_type(std::string_view dtype);

}  // namespace kvcal::hdf5_detail
