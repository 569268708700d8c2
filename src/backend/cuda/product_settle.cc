// Ways of few rows, chosen as they do in a step.
//
// By itself a way is measured behind itself. In a step another kernel is before it and behind it,
// whose blocks hold shared memory and leave processors one after the other; where blocks of a way
// then meet on a processor it is uneven. 4 bits, q k v of one row: two ways of 7.2 us each by
// themselves gave 564 and 608 tokens a second.
#include <algorithm>
#include <limits>
#include <memory>
#include <vector>

#include "backend/cuda/event.h"
#include "backend/cuda/product_trial.h"
#include "backend/cuda/products.h"

namespace hangar::cuda {
namespace {

constexpr std::size_t kMostLayers = 4;  // with more a first start takes longer
constexpr int kRounds = 4;
constexpr int kPasses = 2;

}  // namespace

void Products::settle(const Launch& launch, std::vector<Rivals> all) {
  // What there is once (an output head) is no part of a layer.
  std::erase_if(all, [](const Rivals& of) { return of.weights.size() < 2; });
  // A gate and an up matrix are noted as one product and side by side: it will be the one.
  std::vector<const void*> gated;
  for (const Rivals& of : all) {
    if (of.product.gate) gated.push_back(of.weights.front().weight);
  }
  std::erase_if(all, [&](const Rivals& of) {
    return !of.product.gate && std::ranges::find(gated, of.weights.front().weight) != gated.end();
  });
  if (all.size() < 2) return;
  std::size_t layers = kMostLayers;
  for (const Rivals& of : all) layers = std::min(layers, of.weights.size());

  std::vector<ProductChoice> chosen;
  for (const Rivals& of : all) chosen.push_back(of.choices.front());
  const auto run_layers = [&] {
    bool ran = true;
    for (std::size_t layer = 0; layer < layers; ++layer) {
      for (std::size_t i = 0; i < all.size(); ++i) {
        Product product = all[i].product;
        all[i].weights[layer].give(product);
        ran = run(launch, product, chosen[i]) && ran;
      }
    }
    return ran;
  };
  Event begin;
  Event end;
  // Of the rivals for product i, beside what is chosen for the others: all in turn, several times,
  // and of each the least, since the card's clocks come and go.
  const auto best_of = [&](std::size_t i) {
    struct Entry {
      std::size_t choice;
      std::unique_ptr<Replay> replay;
      double us = std::numeric_limits<double>::infinity();
    };
    std::vector<Entry> entries;
    for (std::size_t c = 0; c < all[i].choices.size(); ++c) {
      chosen[i] = all[i].choices[c];
      if (!run_layers()) continue;  // as the library loads its kernels
      entries.push_back({c, std::make_unique<Replay>(launch.stream, [&] { (void)run_layers(); })});
    }
    if (entries.empty()) return all[i].choices.front();
    for (int round = 0; round < kRounds; ++round) {
      for (Entry& entry : entries) {
        entry.replay->run();
        begin.record(launch.stream);
        entry.replay->run();
        end.record(launch.stream);
        entry.us = std::min(entry.us, end.us_since(begin));
      }
    }
    return all[i].choices[std::ranges::min_element(entries, {}, &Entry::us)->choice];
  };
  for (int pass = 0; pass < kPasses; ++pass) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      // Attention is no product: what comes behind it is not measured here as it will run.
      if (all[i].choices.size() > 1 && !all[i].behind_attention) chosen[i] = best_of(i);
    }
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    choices_.set(choice_key(all[i].product, all[i].product.rows), chosen[i]);
  }
}

}  // namespace hangar::cuda
