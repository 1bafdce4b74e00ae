// SPDX-License-Identifier: Apache-2.0
// Reading and crash-safe writing of HDF5 files: the one place that calls the HDF5 C API.
// Every failure is Error{input} with file, path, what was found and what was expected.
// Not thread-safe (Debian's HDF5 is not), not for updating a file in place: files are written
// whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace kvcal {

/// Element types of the formats in docs/profile-format.md.
template <class T>
concept Hdf5Element = std::is_same_v<T, int32_t> || std::is_same_v<T, int64_t> ||
    std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, std::string>;

/// Attributes are one text, i64 or f64.
template <class T>
concept Hdf5Attribute =
    std::is_same_v<T, int64_t> || std::is_same_v<T, double> || std::is_same_v<T, std::string>;

using Hdf5Shape = std::vector<int64_t>;  ///< {} is one number
inline constexpr int64_t kAnySize = -1;  ///< in an expected shape: whatever the file has

/// A name that may hold '/' (a task "jsonl:a/b.jsonl", a sample id) as one component of a path:
/// '/' and NUL become %XX, and so do the first dot of "." and ".." and a '%' that two hex digits
/// follow.
/// @throws Error{input} an empty name
std::string escape_name(std::string_view name);
std::string unescape_name(std::string_view escaped);

class Hdf5Reader {
 public:
  /// @throws Error{input} missing, not HDF5, truncated or damaged
  explicit Hdf5Reader(const std::filesystem::path& file);
  ~Hdf5Reader();
  Hdf5Reader(Hdf5Reader&& other) noexcept;
  Hdf5Reader& operator=(Hdf5Reader&&) = delete;

  const std::filesystem::path& file() const { return file_; }

  /// Root attribute format = "<name>/<v>" with 1 <= v <= version, and complete = 1.
  /// @throws Error{input} another format, a newer version (by number), a file never finished
  void require_format(std::string_view name, int64_t version) const;

  bool has(const std::string& path) const;
  bool is_group(const std::string& path) const;
  std::vector<std::string> children(
      const std::string& group) const;  ///< sorted, as stored (escaped)
  Hdf5Shape shape(const std::string& path) const;
  std::string dtype(const std::string& path) const;  ///< "i32" .. "text"; "other" for foreign ones

  /// @param expected  kAnySize where any size will do
  /// @return  row-major values
  /// @throws  Error{input} missing, another element type or shape, unreadable
  template <Hdf5Element T>
  std::vector<T> read(const std::string& path, const Hdf5Shape& expected) const;

  template <Hdf5Element T>
  T read_scalar(const std::string& path) const {
    return read<T>(path, {}).front();
  }

  std::vector<std::string> attribute_names(const std::string& path) const;  ///< sorted
  std::string attribute_dtype(const std::string& path, const std::string& name) const;
  bool has_attribute(const std::string& path, const std::string& name) const;
  template <Hdf5Attribute T>
  T attribute(const std::string& path, const std::string& name) const;

 private:
  friend class Hdf5Writer;
  std::filesystem::path file_;
  int64_t size_bytes_ = 0;
  int64_t id_ = -1;  // hid_t
};

/// Writes `<file>.tmp-<pid>` and renames it in finish(); until then the old file is untouched, and
/// a writer that is destroyed before leaves nothing behind.
class Hdf5Writer {
 public:
  /// @throws Error{input} the file cannot be created
  explicit Hdf5Writer(const std::filesystem::path& file);
  ~Hdf5Writer();
  Hdf5Writer(Hdf5Writer&& other) noexcept;
  Hdf5Writer& operator=(Hdf5Writer&&) = delete;

  const std::filesystem::path& file() const { return file_; }

  /// Missing groups on the way are made.
  template <Hdf5Element T>
  void write(const std::string& path, std::span<const T> values, const Hdf5Shape& shape);
  template <Hdf5Element T>
  void write(const std::string& path, const std::vector<T>& values, const Hdf5Shape& shape) {
    write(path, std::span<const T>(values), shape);
  }
  template <Hdf5Element T>
  void write_scalar(const std::string& path, const T& value) {
    write(path, std::span<const T>(&value, 1), {});
  }

  void make_group(const std::string& path);
  template <Hdf5Attribute T>
  void write_attribute(const std::string& path, const std::string& name, const T& value);

  /// Copies a dataset or a group with all below it.
  void copy_from(const Hdf5Reader& source, const std::string& path, const std::string& new_path);
  bool has(const std::string& path) const;

  /// Attribute complete = 1, sealed (seal.hpp), onto the disk, into place.
  void finish();

 private:
  void abandon() noexcept;
  void make_parent(const std::string& path);

  std::filesystem::path file_, aside_;
  int64_t id_ = -1;  // hid_t
};

}  // namespace kvcal
