// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/device.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/resources.hpp"
#include "kvcal/profile/yaml.hpp"

namespace kvcal {
namespace fs = std::filesystem;
namespace {

/// A file of configs/devices: what the datasheet says, and what share of it a run is taken to
/// reach.
struct Datasheet {
  double memory_gib = 0;
  double bandwidth_gb_s = 0;
  double matrix_tflop_s = 0;
  double matrix_f32_tflop_s = 0;
  double bandwidth_share = 1;
  double matrix_share = 1;
  double attention_share = 1;
  double layer_us = 0;

  template <class Visitor>
  void visit(Visitor& v) {
    v.field("memory_gib", memory_gib, at_least(1), "memory of the device");
    v.field("bandwidth_gb_s", bandwidth_gb_s, at_least(1), "of that memory, 1e9 bytes a second");
    v.field("matrix_tflop_s", matrix_tflop_s, at_least(0.001), "dense, 2-byte numbers, f32 sums");
    v.field("matrix_f32_tflop_s", matrix_f32_tflop_s, at_least(0.001), "the same of f32");
    v.field("bandwidth_share", bandwidth_share, between(0.001, 1),
            "of the bandwidth, that is reached");
    v.field("matrix_share", matrix_share, between(0.001, 1), "of the operations, in linear layers");
    v.field("attention_share", attention_share, between(0.001, 1),
            "of the operations, in attention");
    v.field("layer_us", layer_us, at_least(0), "of a layer in a decode step, to start its kernels");
  }
};

/// All fields are given: there is no default machine.
Datasheet read_datasheet(const YamlMap& map) {
  map.require_only({"name", "summary", "params"});
  const ParamMap given = map.params("params");
  const auto fields = list_fields<Datasheet>();
  require_known_keys(given, fields, "a device");
  for (const auto& field : fields) {
    require(given.contains(field.name), Kind::config, "{}: params lack {}, {}", map.where("params"),
            field.name, field.help);
  }
  return read_params<Datasheet>(given);
}

fs::path find_file(std::string_view spec) {
  if (spec.ends_with(".yaml")) return spec;
  const auto known = known_devices();
  require(std::find(known.begin(), known.end(), spec) != known.end(), Kind::config,
          "unknown device '{}'{} (known: cpu, {}; or a path ending in .yaml)", spec,
          nearest_hint(spec, known), fmt::join(known, ", "));
  return resource("configs/devices") / fmt::format("{}.yaml", spec);
}

}  // namespace

std::vector<std::string> known_devices() {
  return names_in("configs/devices");
}

Device load_device(std::string_view spec, int64_t element_bytes) {
  const YamlMap map = YamlMap::load(find_file(spec));
  const Datasheet sheet = read_datasheet(map);
  const double flops =
      1e12 * (element_bytes == 4 ? sheet.matrix_f32_tflop_s : sheet.matrix_tflop_s);
  Device device;
  device.name = map.text("name");
  device.memory_bytes = static_cast<int64_t>(sheet.memory_gib * (1 << 30));
  device.matrix_flops = device.row_flops = flops * sheet.matrix_share;
  device.attention_flops = device.column_flops = flops * sheet.attention_share;
  device.bytes_per_second = 1e9 * sheet.bandwidth_gb_s * sheet.bandwidth_share;
  device.layer_seconds = 1e-6 * sheet.layer_us;
  return device;
}

}  // namespace kvcal
