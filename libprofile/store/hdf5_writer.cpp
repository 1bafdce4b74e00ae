// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <hdf5.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>

#include "kvcal/compress/error.hpp"
#include "store/hdf5_handle.hpp"
#include "store/seal.hpp"

namespace kvcal {
namespace fs = std::filesystem;
namespace h5 = hdf5_detail;
using h5::Handle;

namespace {

[[noreturn]] void fail_to_write(const fs::path& file, std::string_view what,
                                const std::string& reason) {
  fail(Kind::input, "{}: cannot write {}: {}", file.string(), what, reason);
}

/// Of a kind of object, without the times that HDF5 would put into each: same input, same bytes.
Handle timeless_properties(hid_t kind) {
  Handle properties(H5Pcreate(kind), H5Pclose);
  H5Pset_obj_track_times(properties.id(), false);
  return properties;
}

Handle link_properties() {
  Handle properties(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_char_encoding(properties.id(), H5T_CSET_UTF8);
  return properties;
}

Handle space_of(const Hdf5Shape& shape) {
  const std::vector<hsize_t> sizes(shape.begin(), shape.end());
  return Handle(shape.empty()
                    ? H5Screate(H5S_SCALAR)
                    : H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr),
                H5Sclose);
}

/// HDF5 text ends at its first NUL, so one inside becomes U+FFFD.
std::string without_nul(const std::string& text) {
  std::string kept;
  for (char c : text) c == '\0' ? kept += "\xEF\xBF\xBD" : kept += c;
  return kept;
}

/// Calls write(memory type, buffer) with the values as HDF5 takes them.
/// @return  why that failed (asked before the next HDF5 call forgets it), or an empty text
template <class T, class Write>
std::string write_values(std::span<const T> values, Write&& write) {
  const Handle type = h5::memory_type(h5::name_of<T>());
  if constexpr (std::is_same_v<T, std::string>) {
    std::vector<std::string> texts;
    for (const auto& value : values) texts.push_back(without_nul(value));
    std::vector<const char*> pointers;
    for (const auto& text : texts) pointers.push_back(text.c_str());
    return write(type.id(), pointers.data()) >= 0 ? "" : h5::reason();
  } else {
    return write(type.id(), values.data()) >= 0 ? "" : h5::reason();
  }
}

/// Whatever the system call left in errno becomes the sentence.
void require_system(bool succeeded, const fs::path& file, std::string_view what) {
  if (!succeeded) fail_to_write(file, what, std::strerror(errno));
}

/// Onto the disk: a rename must not overtake the data.
void sync(const fs::path& path, int flags, const fs::path& file) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
  require_system(descriptor >= 0, file, "the file");
  const int synced = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  errno = error;
  // Some file systems cannot sync a directory; the data itself is safe then.
  require_system(synced == 0 || error == EINVAL, file, "the file");
}

}  // namespace

Hdf5Writer::Hdf5Writer(const fs::path& file)
    : file_(file), aside_(fmt::format("{}.tmp-{}", file.string(), ::getpid())) {
  h5::silence();
  const Handle access = h5::file_access();
  const Handle creation = timeless_properties(H5P_FILE_CREATE);
  id_ = H5Fcreate(aside_.c_str(), H5F_ACC_TRUNC, creation.id(), access.id());
  if (id_ >= 0) return;
  const std::string reason = h5::reason();
  abandon();  // a full disk may have taken the file's name, if not its first bytes
  fail_to_write(file_, "the file", reason);
}

Hdf5Writer::Hdf5Writer(Hdf5Writer&& other) noexcept
    : file_(std::move(other.file_)),
      aside_(std::move(other.aside_)),
      id_(std::exchange(other.id_, -1)) {
  other.aside_.clear();
}

Hdf5Writer::~Hdf5Writer() {
  abandon();
}

/// On a full disk HDF5 can neither flush nor close and would try again, in vain and in print, when
/// the program ends. So its descriptor is pointed at memory first: closing then succeeds.
void Hdf5Writer::abandon() noexcept {
  if (id_ >= 0) {
    void* handle = nullptr;
    const int memory = ::memfd_create("kvcal-abandoned", MFD_CLOEXEC);
    if (memory >= 0) {
      if (H5Fget_vfd_handle(id_, H5P_DEFAULT, &handle) >= 0)
        ::dup2(memory, *static_cast<int*>(handle));
      ::close(memory);
    }
    H5Fclose(id_);
    id_ = -1;
  }
  if (!aside_.empty()) ::unlink(aside_.c_str());
  aside_.clear();
}

template <Hdf5Element T>
void Hdf5Writer::write(const std::string& path, std::span<const T> values, const Hdf5Shape& shape) {
  const int64_t count =
      std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  require(count == static_cast<int64_t>(values.size()), Kind::internal,
          "{}: {} values for {}, whose shape needs {}", file_.string(), values.size(), path, count);
  const Handle space = space_of(shape);
  const Handle type = h5::file_type(h5::name_of<T>());
  make_parent(path);
  const Handle links = link_properties();
  const Handle properties = timeless_properties(H5P_DATASET_CREATE);
  const Handle dataset(H5Dcreate2(id_, path.c_str(), type.id(), space.id(), links.id(),
                                  properties.id(), H5P_DEFAULT),
                       H5Dclose);
  if (!dataset.is_open()) fail_to_write(file_, path, h5::reason());
  if (count == 0) return;
  const std::string failure = write_values(values, [&](hid_t memory, const void* buffer) {
    return H5Dwrite(dataset.id(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer);
  });
  if (!failure.empty()) fail_to_write(file_, path, failure);
}

void Hdf5Writer::make_group(const std::string& path) {
  if (has(path)) return;
  make_parent(path);
  const Handle links = link_properties();
  const Handle properties = timeless_properties(H5P_GROUP_CREATE);
  const Handle group(H5Gcreate2(id_, path.c_str(), links.id(), properties.id(), H5P_DEFAULT),
                     H5Gclose);
  if (!group.is_open()) fail_to_write(file_, path, h5::reason());
}

/// Groups that HDF5 makes by itself on the way would hold times.
void Hdf5Writer::make_parent(const std::string& path) {
  const auto parent = path.substr(0, path.rfind('/'));
  if (!parent.empty()) make_group(parent);
}

template <Hdf5Attribute T>
void Hdf5Writer::write_attribute(const std::string& path, const std::string& name, const T& value) {
  const std::string what = fmt::format("attribute '{}' of {}", name, path);
  const Handle space = space_of({});
  const Handle type = h5::file_type(h5::name_of<T>());
  const Handle attribute(H5Acreate_by_name(id_, path.c_str(), name.c_str(), type.id(), space.id(),
                                           H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose);
  if (!attribute.is_open()) fail_to_write(file_, what, h5::reason());
  const std::string failure = write_values(
      std::span<const T>(&value, 1),
      [&](hid_t memory, const void* buffer) { return H5Awrite(attribute.id(), memory, buffer); });
  if (!failure.empty()) fail_to_write(file_, what, failure);
}

void Hdf5Writer::copy_from(const Hdf5Reader& source, const std::string& path,
                           const std::string& new_path) {
  make_parent(new_path);
  const Handle links = link_properties();
  if (H5Ocopy(source.id_, path.c_str(), id_, new_path.c_str(), H5P_DEFAULT, links.id()) < 0) {
    fail_to_write(file_, fmt::format("{} (a copy from {})", new_path, source.file().string()),
                  h5::reason());
  }
}

bool Hdf5Writer::has(const std::string& path) const {
  return h5::has_link(id_, path);
}

void Hdf5Writer::finish() {
  write_attribute<int64_t>("/", "complete", 1);
  if (H5Fflush(id_, H5F_SCOPE_GLOBAL) < 0) fail_to_write(file_, "the file", h5::reason());
  if (H5Fclose(id_) < 0) fail_to_write(file_, "the file", h5::reason());
  id_ = -1;
  require_system(seal(aside_), file_, "the file");
  sync(aside_, O_RDWR, file_);
  require_system(::rename(aside_.c_str(), file_.c_str()) == 0, file_, "the file");
  aside_.clear();
  sync(file_.has_parent_path() ? file_.parent_path() : fs::path("."), O_RDONLY | O_DIRECTORY,
       file_);
}

template void Hdf5Writer::write(const std::string&, std::span<const int32_t>, const Hdf5Shape&);
template void Hdf5Writer::write(const std::string&, std::span<const int64_t>, const Hdf5Shape&);
template void Hdf5Writer::write(const std::string&, std::span<const float>, const Hdf5Shape&);
template void Hdf5Writer::write(const std::string&, std::span<const double>, const Hdf5Shape&);
template void Hdf5Writer::write(const std::string&, std::span<const std::string>, const Hdf5Shape&);
template void Hdf5Writer::write_attribute(const std::string&, const std::string&, const int64_t&);
template void Hdf5Writer::write_attribute(const std::string&, const std::string&, const double&);
template void Hdf5Writer::write_attribute(const std::string&, const std::string&,
                                          const std::string&);

}  // namespace kvcal
