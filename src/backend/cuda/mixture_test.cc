// Mixtures whose choices stay on the card, against sums in double.
#include "backend/cuda/mixture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "backend/cuda/experts.h"
#include "backend/cuda/int4_product_test_support.h"
#include "backend/cuda/mixture_sort.h"

namespace hangar::cuda {
namespace {

struct MixtureShape {
  std::int32_t experts;
  std::int32_t used;
  std::int64_t rows;
  std::int64_t hidden;
  std::int64_t inner;
};

class MixtureTest : public Int4ProductTest {
 protected:
  void SetUp() override { ProductTest::SetUp(); }

  // Of all experts, on the host and on the card.
  struct Matrices {
    std::vector<Numbers> numbers;  // with their scales
    MixtureMatrix there;
  };
  Matrices matrices(std::int32_t experts, std::int64_t rows, std::int64_t columns, Int4Form form) {
    Matrices made;
    std::vector<const void*> data;
    for (std::int32_t e = 0; e < experts; ++e) {
      HostStrips strips = random_strips(form, rows, columns);
      data.push_back(put_strips(strips));
      made.numbers.push_back(strips.values());
    }
    made.there.weights = put_pointers(data);
    made.there.zeros = form == Int4Form::kZero32;
    return made;
  }
  Matrices matrices(std::int32_t experts, std::int64_t rows, std::int64_t columns, DType weights) {
    Matrices made;
    std::vector<const void*> data;
    std::vector<const void*> scales;
    std::uniform_real_distribution<float> spread(0.5F, 2.0F);
    for (std::int32_t e = 0; e < experts; ++e) {
      made.numbers.push_back(random(rows * columns, weights, weights == type() ? 0.1F : 1.0F));
      data.push_back(put(made.numbers.back(), rows, columns, weights).data);
      if (weights == type()) continue;
      Numbers factors(static_cast<std::size_t>(rows));
      for (float& factor : factors) factor = 0.1F * spread(random_);
      scales.push_back(put(factors, 1, rows, DType::kF32).data);
      for (std::size_t i = 0; i < made.numbers.back().size(); ++i) {
        made.numbers.back()[i] *= factors[i / static_cast<std::size_t>(columns)];
      }
    }
    made.there.weights = put_pointers(data);
    if (!scales.empty()) {
      made.there.scales = reinterpret_cast<const float* const*>(put_pointers(scales));
    }
    return made;
  }
  const void* const* put_pointers(const std::vector<const void*>& pointers) {
    const std::size_t bytes = pointers.size() * sizeof(pointers[0]);
    void* const there = take(bytes, 16);
    HANGAR_CUDA(
        cudaMemcpyAsync(there, pointers.data(), bytes, cudaMemcpyHostToDevice, launch_.stream));
    HANGAR_CUDA(cudaStreamSynchronize(launch_.stream));
    return static_cast<const void* const*>(there);
  }

  // weights: a DType or an Int4Form.
  template <typename Weights>
  void check(const MixtureShape& shape, Weights weights, bool normalize,
             GateFunction f = GateFunction::kSilu);
};

// Row by row, as Backend::top_experts() chooses.
std::vector<std::pair<std::int32_t, double>> choose(const float* scores, const MixtureShape& shape,
                                                    bool normalize) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(shape.experts));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater<>(), [&](std::int32_t e) { return scores[e]; });
  std::vector<std::pair<std::int32_t, double>> chosen;
  double total = 0.0;
  for (std::int32_t i = 0; i < shape.experts; ++i) {
    const double share =
        std::exp(double{scores[order[static_cast<std::size_t>(i)]]} - double{scores[order[0]]});
    if (i < shape.used) chosen.emplace_back(order[static_cast<std::size_t>(i)], share);
    if (i < shape.used || !normalize) total += share;
  }
  for (auto& [expert, share] : chosen) share /= total;
  return chosen;
}

double gated(GateFunction f, double x) {
  switch (f) {
    case GateFunction::kSilu:
      return x / (1.0 + std::exp(-x));
    case GateFunction::kGeluTanh:
      return x / 2 * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
    case GateFunction::kGelu:
      break;
  }
  return x / 2 * (1.0 + std::erf(x / std::sqrt(2.0)));
}

template <typename Weights>
void MixtureTest::check(const MixtureShape& shape, Weights weights, bool normalize,
                        GateFunction f) {
  SCOPED_TRACE(fmt::format("{} of {} experts, {} rows, {} x {}, weights {}", shape.used,
                           shape.experts, shape.rows, shape.hidden, shape.inner,
                           static_cast<int>(weights)));
  start_over();
  const auto [experts, used, rows, hidden, inner] = shape;
  const Matrices gate = matrices(experts, inner, hidden, weights);
  const Matrices up = matrices(experts, inner, hidden, weights);
  const Matrices down = matrices(experts, hidden, inner, weights);
  Mixture mixture;
  mixture.gate = gate.there;
  mixture.up = up.there;
  mixture.down = down.there;
  if constexpr (std::is_same_v<Weights, Int4Form>) {
    mixture.int4 = weights;
  } else {
    mixture.weight_type = weights;
  }
  mixture.experts = experts;
  mixture.inner = inner;
  mixture.hidden = hidden;
  mixture.used = used;
  ASSERT_TRUE(mixes(type(), mixture));
  const Numbers n = random(rows * hidden, type());
  const Numbers scores = random(rows * experts, DType::kF32);
  const Numbers before = random(rows * hidden, DType::kF32);
  const Activation normed = put(n, rows, hidden, type());
  const Activation scored = put(scores, rows, experts, DType::kF32);
  const Activation x = put(before, rows, hidden, DType::kF32);
  void* const room = take(mixture_room_bytes(rows, mixture), 256);
  mix_experts(launch_, x, normed, scored, mixture, normalize, f, room);
  const Numbers got = get(x);

  const auto at = [](const Numbers& values, std::int64_t i) {
    return double{values[static_cast<std::size_t>(i)]};
  };
  for (std::int64_t r = 0; r < rows; ++r) {
    std::vector<double> want(static_cast<std::size_t>(hidden));
    std::vector<double> size(want.size());
    for (const auto& [expert, share] : choose(scores.data() + r * experts, shape, normalize)) {
      const auto e = static_cast<std::size_t>(expert);
      Numbers middle(static_cast<std::size_t>(inner));
      for (std::int64_t i = 0; i < inner; ++i) {
        double g = 0.0;
        double u = 0.0;
        for (std::int64_t c = 0; c < hidden; ++c) {
          g += at(gate.numbers[e], i * hidden + c) * at(n, r * hidden + c);
          u += at(up.numbers[e], i * hidden + c) * at(n, r * hidden + c);
        }
        middle[static_cast<std::size_t>(i)] = round_to(type(), static_cast<float>(gated(f, g) * u));
      }
      for (std::int64_t o = 0; o < hidden; ++o) {
        double sum = 0.0;
        double magnitude = 0.0;
        for (std::int64_t i = 0; i < inner; ++i) {
          const double product = at(down.numbers[e], o * inner + i) * at(middle, i);
          sum += product;
          magnitude += std::abs(product);
        }
        want[static_cast<std::size_t>(o)] += share * sum;
        size[static_cast<std::size_t>(o)] += share * magnitude;
      }
    }
    for (std::int64_t o = 0; o < hidden; ++o) {
      const auto i = static_cast<std::size_t>(o);
      ASSERT_NEAR(double{got[static_cast<std::size_t>(r * hidden + o)]},
                  at(before, r * hidden + o) + want[i],
                  3.0 * static_cast<double>(epsilon()) * size[i] + 1e-5)
          << "row " << r << ", element " << o;
    }
  }
}

TEST_P(MixtureTest, EqualsSumsInDouble) {
  const MixtureShape shapes[] = {{1, 1, 1, 64, 64},    {4, 2, 5, 128, 192},  {60, 8, 33, 256, 128},
                                 {128, 8, 70, 64, 64}, {3, 2, 200, 192, 64}, {1024, 4, 9, 64, 64}};
  for (const MixtureShape& shape : shapes) {
    for (const DType weights : {type(), DType::kF8E4M3}) {
      check(shape, weights, shape.rows % 2 == 1);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(MixtureTest, EveryGateFunctionIsIts) {
  for (const GateFunction f : {GateFunction::kGeluTanh, GateFunction::kGelu}) {
    check({4, 2, 9, 128, 64}, type(), true, f);
    if (HasFatalFailure()) return;
  }
}

TEST_P(MixtureTest, EqualsSumsInDoubleOf4Bits) {
  if (!launch_.hopper) GTEST_SKIP() << "weights of 4 bits are a Hopper card's";
  for (const MixtureShape& shape :
       {MixtureShape{4, 2, 5, 128, 256}, {16, 8, 33, 256, 128}, {3, 2, 70, 640, 128}}) {
    for (const Int4Form form : kInt4Forms) {
      check(shape, form, shape.rows % 2 == 1);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(MixtureTest, ARowDoesNotDependOnItsNeighbours) {
  constexpr std::int32_t kExperts = 8;
  constexpr std::int32_t kUsed = 2;
  constexpr std::int64_t kRows = 90;
  constexpr std::int64_t kHidden = 256;
  constexpr std::int64_t kInner = 128;
  Mixture mixture;
  mixture.gate = matrices(kExperts, kInner, kHidden, type()).there;
  mixture.up = matrices(kExperts, kInner, kHidden, type()).there;
  mixture.down = matrices(kExperts, kHidden, kInner, type()).there;
  mixture.weight_type = type();
  mixture.experts = kExperts;
  mixture.inner = kInner;
  mixture.hidden = kHidden;
  mixture.used = kUsed;
  const Numbers n = random(kRows * kHidden, type());
  const Numbers scores = random(kRows * kExperts, DType::kF32);
  const auto part = [](const Numbers& values, std::int64_t first, std::int64_t count) {
    return Numbers(values.begin() + first, values.begin() + first + count);
  };
  void* const room = take(mixture_room_bytes(kRows, mixture), 256);
  const auto run = [&](std::int64_t first, std::int64_t rows) {
    const Activation x =
        put(Numbers(static_cast<std::size_t>(rows * kHidden)), rows, kHidden, DType::kF32);
    mix_experts(launch_, x, put(part(n, first * kHidden, rows * kHidden), rows, kHidden, type()),
                put(part(scores, first * kExperts, rows * kExperts), rows, kExperts, DType::kF32),
                mixture, true, GateFunction::kSilu, room);
    return get(x);
  };
  const Numbers together = run(0, kRows);
  for (const std::int64_t row : {0, 17, 89}) {
    EXPECT_EQ(run(row, 1), part(together, row * kHidden, kHidden)) << row;
  }
}

TEST_P(MixtureTest, SortsChoicesIntoTiles) {
  for (const auto& [rows, used, experts, width] :
       {std::array{1, 1, 1, 8}, {1, 8, 128, 8}, {700, 2, 5, 32}, {1024, 8, 1024, 8}}) {
    start_over();
    std::vector<std::int32_t> ids;
    for (int row = 0; row < rows; ++row) {
      std::vector<std::int32_t> all(static_cast<std::size_t>(experts));
      std::iota(all.begin(), all.end(), 0);
      std::ranges::shuffle(all, random_);
      ids.insert(ids.end(), all.begin(), all.begin() + used);
    }
    const std::size_t choices = ids.size();
    const auto ints = [&](std::size_t count) {
      return static_cast<std::int32_t*>(take(count * sizeof(std::int32_t), 16));
    };
    std::int32_t* const there = ints(choices);
    HANGAR_CUDA(
        cudaMemcpyAsync(there, ids.data(), choices * 4, cudaMemcpyHostToDevice, launch_.stream));
    SortedChoices sorted{ints(choices), ints(choices),
                         reinterpret_cast<MixtureTile*>(ints(3 * choices)), ints(1)};
    sort_choices(launch_, sorted, there, rows, used, experts, width);
    HANGAR_CUDA(cudaStreamSynchronize(launch_.stream));
    std::vector<std::int32_t> order(choices);
    std::vector<std::int32_t> by_expert(choices);
    std::int32_t count = 0;
    HANGAR_CUDA(cudaMemcpy(&count, sorted.tile_count, 4, cudaMemcpyDeviceToHost));
    HANGAR_CUDA(cudaMemcpy(order.data(), sorted.order, choices * 4, cudaMemcpyDeviceToHost));
    HANGAR_CUDA(
        cudaMemcpy(by_expert.data(), sorted.by_expert, choices * 4, cudaMemcpyDeviceToHost));
    ASSERT_LE(count, most_tiles(static_cast<std::int64_t>(choices), experts, width));
    std::vector<MixtureTile> tiles(static_cast<std::size_t>(count));
    HANGAR_CUDA(cudaMemcpy(tiles.data(), sorted.tiles, tiles.size() * sizeof(MixtureTile),
                           cudaMemcpyDeviceToHost));
    std::int32_t next = 0;
    for (const MixtureTile& tile : tiles) {
      EXPECT_EQ(tile.first, next);
      EXPECT_TRUE(tile.count > 0 && tile.count <= width);
      for (std::int32_t i = next; i < next + tile.count; ++i) {
        const auto choice = static_cast<std::size_t>(order[static_cast<std::size_t>(i)]);
        ASSERT_EQ(ids[choice], tile.expert);
      }
      next += tile.count;
    }
    EXPECT_EQ(static_cast<std::size_t>(next), choices);
    std::ranges::sort(order);
    for (std::size_t i = 0; i < choices; ++i) ASSERT_EQ(order[i], static_cast<std::int32_t>(i));
    for (std::size_t i = 0; i < choices; ++i) {
      const auto choice = static_cast<std::size_t>(by_expert[i]);
      ASSERT_EQ(choice / static_cast<std::size_t>(used), i / static_cast<std::size_t>(used));
      if (i % static_cast<std::size_t>(used) == 0) continue;
      EXPECT_LT(ids[static_cast<std::size_t>(by_expert[i - 1])], ids[choice]);
    }
  }
}

TEST_P(MixtureTest, SaysWhatItDoesNotTake) {
  Mixture mixture;
  mixture.weight_type = type();
  mixture.experts = 4;
  mixture.used = 2;
  mixture.hidden = 64;
  mixture.inner = 32;
  EXPECT_TRUE(mixes(type(), mixture));
  const auto refuses = [&](auto&& change) {
    Mixture other = mixture;
    change(other);
    return !mixes(type(), other);
  };
  EXPECT_TRUE(refuses([](Mixture& m) { m.weight_type = DType::kF8E4M3; }));  // 32 columns
  EXPECT_TRUE(refuses([](Mixture& m) { m.weight_type = DType::kF32; }));
  EXPECT_TRUE(refuses([](Mixture& m) { m.int4 = Int4Form::kZero128; }));  // 128 columns
  EXPECT_TRUE(refuses([](Mixture& m) { m.hidden = 48; }));
  EXPECT_TRUE(refuses([](Mixture& m) { m.inner = 16; }));
  EXPECT_TRUE(refuses([](Mixture& m) { m.experts = 1025; }));
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, MixtureTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
