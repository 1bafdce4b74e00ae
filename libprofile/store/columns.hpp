// SPDX-License-Identifier: Apache-2.0
// Records as columns: one dataset per field of a struct's `fields` list. The list is the only place
// that names fields, so a field that is added there is stored and read without another edit.
// Field types: text, i64, f64, bool (stored as i32) and lists of text (values and offsets).
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kvcal/compress/error.hpp"
#include "store/hdf5.hpp"

namespace kvcal {

using Column = std::variant<std::vector<std::string>, std::vector<int64_t>, std::vector<double>,
                            std::vector<int32_t>, std::vector<std::vector<std::string>>>;

template <class T>
using ColumnOf = std::vector<std::conditional_t<std::is_same_v<T, bool>, int32_t, T>>;

/// [rows] lists as `<path>` [texts in all] and `<path>_offsets` [rows + 1].
inline void write_column(Hdf5Writer& writer, const std::string& path,
                         const std::vector<std::vector<std::string>>& lists) {
  std::vector<std::string> texts;
  std::vector<int64_t> offsets = {0};
  for (const auto& list : lists) {
    texts.insert(texts.end(), list.begin(), list.end());
    offsets.push_back(static_cast<int64_t>(texts.size()));
  }
  writer.write(path, texts, {offsets.back()});
  writer.write(path + "_offsets", offsets, {static_cast<int64_t>(offsets.size())});
}

template <Hdf5Element T>
void write_column(Hdf5Writer& writer, const std::string& path, const std::vector<T>& values) {
  writer.write(path, values, {static_cast<int64_t>(values.size())});
}

inline std::vector<std::vector<std::string>> read_lists(const Hdf5Reader& reader,
                                                        const std::string& path, int64_t rows) {
  const auto texts = reader.read<std::string>(path, {kAnySize});
  const auto offsets = reader.read<int64_t>(path + "_offsets", {rows + 1});
  std::vector<std::vector<std::string>> lists;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t begin = offsets[row], end = offsets[row + 1];
    require(begin >= 0 && begin <= end && end <= static_cast<int64_t>(texts.size()), Kind::input,
            "{}: {}_offsets[{}] = {} .. {}, need ascending numbers up to {}",
            reader.file().string(), path, row, begin, end, texts.size());
    lists.emplace_back(texts.begin() + begin, texts.begin() + end);
  }
  return lists;
}

template <class Record>
void write_columns(Hdf5Writer& writer, const std::string& group, std::span<const Record> records) {
  std::vector<std::pair<std::string, Column>> columns;
  size_t field = 0;
  auto collect = [&]<class T>(const char* name, const T& value) {
    if (field == columns.size()) columns.emplace_back(name, ColumnOf<T>());
    std::get<ColumnOf<T>>(columns[field++].second).push_back(value);
  };
  // A default record gives the columns their names and types even where there is no record.
  const Record none;
  Record::fields(none, collect);
  for (auto& [name, column] : columns) std::visit([](auto& values) { values.clear(); }, column);
  for (const Record& record : records) field = 0, Record::fields(record, collect);
  for (const auto& [name, column] : columns) {
    std::visit(
        [&, &path = name](const auto& values) { write_column(writer, group + "/" + path, values); },
        column);
  }
}

template <class Record>
constexpr bool is_added_later(std::string_view name) {
  if constexpr (requires { Record::kAddedLater; }) {
    for (std::string_view later : Record::kAddedLater) {
      if (later == name) return true;
    }
  }
  return false;
}

template <class Record>
std::vector<Record> read_columns(const Hdf5Reader& reader, const std::string& group) {
  int64_t rows = kAnySize;  // known after the first column, which is not a list
  std::vector<Column> columns;
  auto read = [&]<class T>(const char* name, const T&) {
    const std::string path = group + "/" + name;
    if (is_added_later<Record>(name) && !reader.has(path)) {
      columns.emplace_back(ColumnOf<T>());  // empty: the default stays
    } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
      columns.emplace_back(read_lists(reader, path, rows));
    } else {
      auto values = reader.read<typename ColumnOf<T>::value_type>(path, {rows});
      rows = static_cast<int64_t>(values.size());
      columns.emplace_back(std::move(values));
    }
  };
  const Record none;
  Record::fields(none, read);
  std::vector<Record> records(rows);
  for (int64_t row = 0; row < rows; ++row) {
    size_t field = 0;
    auto assign = [&]<class T>(const char*, T& value) {
      auto& column = std::get<ColumnOf<T>>(columns[field++]);
      if (!column.empty()) value = std::move(column[row]);
    };
    Record::fields(records[row], assign);
  }
  return records;
}

/// Fields of one struct as attributes of the root.
template <class Record>
void write_root_attributes(Hdf5Writer& writer, const Record& record) {
  auto write = [&]<class T>(const char* name, const T& value) {
    writer.write_attribute<T>("/", name, value);
  };
  Record::fields(record, write);
}

template <class Record>
Record read_root_attributes(const Hdf5Reader& reader) {
  Record record;
  auto read = [&]<class T>(const char* name, T& value) { value = reader.attribute<T>("/", name); };
  Record::fields(record, read);
  return record;
}

}  // namespace kvcal
