// SPDX-License-Identifier: Apache-2.0
// Labels that would touch form a block, whose middle stands where its labels want to be on average;
// blocks that touch become one.
#include "report/plot/labels.hpp"

#include <algorithm>
#include <numeric>

namespace kvcal::report {
namespace {

struct Block {
  double middle;
  double labels;
};

double half_height(const Block& block, double spacing) {
  return 0.5 * spacing * (block.labels - 1);
}

Block inside(Block block, double spacing, double room) {
  const double half = half_height(block, spacing);
  block.middle = 2 * half > room ? room / 2 : std::clamp(block.middle, half, room - half);
  return block;
}

bool touch(const Block& lower, const Block& upper, double spacing) {
  return lower.middle + half_height(lower, spacing) + spacing >
         upper.middle - half_height(upper, spacing);
}

Block join(const Block& a, const Block& b) {
  const double labels = a.labels + b.labels;
  return {(a.middle * a.labels + b.middle * b.labels) / labels, labels};
}

}  // namespace

std::vector<double> spread_labels(const std::vector<double>& wanted, double spacing, double room) {
  std::vector<size_t> order(wanted.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return wanted[a] < wanted[b]; });
  std::vector<Block> blocks;
  for (size_t index : order) {
    Block block = inside({wanted[index], 1}, spacing, room);
    while (!blocks.empty() && touch(blocks.back(), block, spacing)) {
      block = inside(join(blocks.back(), block), spacing, room);
      blocks.pop_back();
    }
    blocks.push_back(block);
  }
  std::vector<double> places(wanted.size());
  auto next = order.begin();
  for (const auto& block : blocks) {
    for (double i = 0; i < block.labels; ++i) {
      places[*next++] = block.middle - half_height(block, spacing) + spacing * i;
    }
  }
  return places;
}

}  // namespace kvcal::report
