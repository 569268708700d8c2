// MatmulRunner: shares the products of one x with several weights out over the threads.
//
// Promise: quantizes x once if any weight wants it, in two planes if any wants it fine, then runs
//   all panels of all weights as one parallel loop. Weights whose inputs are stored in an order of
//   their own get x in that order: neighbours in the list with the same order share it. Results do
//   not depend on the number of threads.
// Errors: reserve: kResourceExhausted. run needs no memory where reserve covered its x.
// Threads: one thread (the step thread) calls; the pool's threads work inside.
#pragma once

#include <span>

#include "backend/cpu/cpu_weight.h"
#include "backend/cpu/quantized_rows.h"
#include "tensor/activation.h"

namespace hangar::cpu {

class MatmulRunner {
 public:
  // Makes room for the quantized and the reordered form of any x of this size.
  Status reserve(std::int64_t rows, std::int64_t columns);
  void run(std::span<const Activation> ys, Activation x, std::span<const Weight* const> weights,
           ThreadPool& pool);

 private:
  struct Planes {
    QuantizedRows coarse;
    QuantizedRows fine;  // what coarse leaves; only where a weight asks for it
  };
  Planes quantize(Activation x, bool fine, ThreadPool& pool);
  Activation reorder(Activation x, const InputOrder& order, ThreadPool& pool);
  void run_in_order(std::span<const Activation> ys, Activation x,
                    std::span<const Weight* const> weights, ThreadPool& pool);
  static void run_panel(const CpuWeight& weight, std::int64_t panel, Activation y, Activation x,
                        const Planes& planes, std::int64_t first_row, std::int64_t end_row);

  QuantizedRowsBuffer coarse_;
  QuantizedRowsBuffer fine_;
  HostMemory reordered_;
};

}  // namespace hangar::cpu
