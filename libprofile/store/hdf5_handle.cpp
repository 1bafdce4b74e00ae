// SPDX-License-Identifier: Apache-2.0
#include "store/hdf5_handle.hpp"

#include <cctype>

#include "kvcal/compress/error.hpp"

namespace kvcal {

static_assert(sizeof(hid_t) == sizeof(int64_t), "hdf5.hpp keeps an hid_t as int64_t");

std::string escape_name(std::string_view name) {
  require(!name.empty(), Kind::input, "an empty name cannot be stored in an HDF5 file");
  const bool is_special = name == "." || name == "..";
  std::string escaped;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool must_escape = c == '%' || c == '/' || c == '\0' || (is_special && i == 0);
    escaped +=
        must_escape ? fmt::format("%{:02X}", static_cast<unsigned char>(c)) : std::string(1, c);
  }
  return escaped;
}

std::string unescape_name(std::string_view escaped) {
  std::string name;
  for (size_t i = 0; i < escaped.size(); ++i) {
    const std::string code(escaped.substr(i + 1 < escaped.size() ? i + 1 : i, 2));
    const bool is_code = escaped[i] == '%' && code.size() == 2 &&
                         std::isxdigit(static_cast<unsigned char>(code[0])) &&
                         std::isxdigit(static_cast<unsigned char>(code[1]));
    name += is_code ? static_cast<char>(std::stoi(code, nullptr, 16)) : escaped[i];
    if (is_code) i += 2;
  }
  return name;
}

namespace hdf5_detail {
namespace {

/// HDF5 hides the system's words in a longer sentence of its own.
std::string system_words(const std::string& description) {
  constexpr std::string_view kBefore = "error message = '";
  const size_t begin = description.find(kBefore);
  if (begin == std::string::npos) return {};
  const size_t end = description.find('\'', begin + kBefore.size());
  return description.substr(begin + kBefore.size(), end - begin - kBefore.size());
}

hid_t copy_of(std::string_view dtype, bool in_memory) {
  if (dtype == "i32") return H5Tcopy(in_memory ? H5T_NATIVE_INT32 : H5T_STD_I32LE);
  if (dtype == "i64") return H5Tcopy(in_memory ? H5T_NATIVE_INT64 : H5T_STD_I64LE);
  if (dtype == "f32") return H5Tcopy(in_memory ? H5T_NATIVE_FLOAT : H5T_IEEE_F32LE);
  if (dtype == "f64") return H5Tcopy(in_memory ? H5T_NATIVE_DOUBLE : H5T_IEEE_F64LE);
  const hid_t text = H5Tcopy(H5T_C_S1);
  H5Tset_size(text, H5T_VARIABLE);
  H5Tset_cset(text, H5T_CSET_UTF8);
  return text;
}

}  // namespace

void silence() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

std::string reason() {
  std::string innermost;
  const auto keep_first = [](unsigned, const H5E_error2_t* error, void* into) -> herr_t {
    auto& text = *static_cast<std::string*>(into);
    if (text.empty() && error->desc != nullptr) text = error->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &innermost);
  const std::string words = system_words(innermost);
  if (!words.empty()) return words;
  return innermost.empty() ? "HDF5 gives no reason" : innermost;
}

Handle file_access() {
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_libver_bounds(access.id(), H5F_LIBVER_V18, H5F_LIBVER_LATEST);
  H5Pset_file_locking(access.id(), false, true);
  return access;
}

bool has_link(hid_t file, const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    if (H5Lexists(file, path.substr(0, slash).c_str(), H5P_DEFAULT) <= 0) return false;
  }
  return path == "/" || H5Lexists(file, path.c_str(), H5P_DEFAULT) > 0;
}

std::string dtype_of(hid_t type) {
  const size_t size_bytes = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      if (H5Tget_sign(type) == H5T_SGN_NONE) return "other";
      return size_bytes == 4 ? "i32" : size_bytes == 8 ? "i64" : "other";
    case H5T_FLOAT:
      return size_bytes == 4 ? "f32" : size_bytes == 8 ? "f64" : "other";
    case H5T_STRING:
      return H5Tis_variable_str(type) > 0 ? "text" : "other";
    default:
      return "other";
  }
}

Handle memory_type(std::string_view dtype) {
  return Handle(copy_of(dtype, true), H5Tclose);
}
Handle file_type(std::string_view dtype) {
  return Handle(copy_of(dtype, false), H5Tclose);
}

}  // namespace hdf5_detail
}  // namespace kvcal
