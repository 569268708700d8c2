#include "backend/cpu/sample_runner.h"

#include <algorithm>
#include <numeric>

namespace hangar::cpu {

void SampleRunner::run(Activation logits, std::span<const SampleRow> rows, std::span<Sampled> out,
                       ThreadPool& pool) {
  order_.resize(rows.size());
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::ranges::stable_sort(order_, {}, [&](std::size_t i) { return rows[i].row; });
  groups_.clear();
  for (std::size_t i = 0; i < order_.size(); ++i) {
    if (i == 0 || rows[order_[i]].row != rows[order_[i - 1]].row) groups_.push_back(i);
  }
  groups_.push_back(order_.size());
  samplers_.resize(static_cast<std::size_t>(pool.threads()));
  const auto body = [&](std::int64_t begin, std::int64_t end, int worker) {
    RowSampler& sampler = samplers_[static_cast<std::size_t>(worker)];
    for (std::size_t i = groups_[static_cast<std::size_t>(begin)];
         i < groups_[static_cast<std::size_t>(end)]; ++i) {
      const SampleRow& row = rows[order_[i]];
      sampler.sample(logits.row(row.row), row, out[order_[i]]);
    }
  };
  pool.parallel_for(std::ssize(groups_) - 1, 1, body);
}

}  // namespace hangar::cpu
