// MatmulRunner: shares the products of one x with several weights out over the threads.
//
// Promise: brings x once into each form that any weight wants (8-bit groups, bf16; in two planes if
//   any wants it fine), then runs all panels of all weights as one parallel loop. Weights whose
//   inputs are stored in an order of their own get x in that order: neighbours in the list with the
//   same order share it. Results do not depend on the number of threads.
// Errors: reserve: kResourceExhausted. run needs no memory where reserve covered its x.
// Threads: one thread (the step thread) calls; the pool's threads work inside.
#pragma once

#include <span>

#include "backend/cpu/amx.h"
#include "backend/cpu/amx_rows.h"
#include "backend/cpu/bf16_rows.h"
#include "backend/cpu/cpu_weight.h"
#include "backend/cpu/quantized_rows.h"
#include "base/function_ref.h"
#include "tensor/activation.h"

namespace hangar::cpu {

// Makes a row of x, where a product's input is computed on the way in: once, before it is read.
using MakeRow = FunctionRef<void(std::int64_t row)>;

// ys[i] = x weights[i]^T, or with `add` += (only where can_add says so of each weight).
struct MatmulCall {
  std::span<const Activation> ys;
  Activation x;
  std::span<const Weight* const> weights;
  const MakeRow* make_row = nullptr;  // nullptr: x is there
  bool add = false;
};

class MatmulRunner {
 public:
  // Makes room for every form of any x of this size.
  Status reserve(std::int64_t rows, std::int64_t columns);
  void run(const MatmulCall& call, ThreadPool& pool);
  // Whether run() adds to what y holds with this weight.
  static bool can_add(const CpuWeight& weight) { return weight.panels.has_value(); }

 private:
  // x as weights read it.
  struct Inputs {
    Activation floats;
    QuantizedRows coarse;  // for integer weights
    QuantizedRows fine;    // what coarse leaves; only where a weight asks for it
    AmxRows coarse_tiles;  // the same of their whole tiles of rows, where there is AMX
    AmxRows fine_tiles;
    Bf16Rows rounded;  // for BF16 weights, where the processor multiplies bf16
  };
  struct Wanted {
    bool integers = false;
    bool fine_integers = false;
    bool bf16 = false;
    bool fine_bf16 = false;
  };
  static Wanted wanted_by(std::span<const Weight* const> weights);
  Inputs prepare(const MatmulCall& call, Wanted wanted, ThreadPool& pool);
  Activation reorder(const MatmulCall& call, const InputOrder& order, ThreadPool& pool);
  void run_in_order(const MatmulCall& call, ThreadPool& pool);
  static void run_panels(const CpuWeight& weight, std::int64_t first_panel, std::int64_t end_panel,
                         Activation y, const Inputs& inputs, std::int64_t first_row,
                         std::int64_t end_row, bool add, TileScope& tiles);

  QuantizedRowsBuffer coarse_;
  QuantizedRowsBuffer fine_;
  AmxRowsBuffer coarse_tiles_;
  AmxRowsBuffer fine_tiles_;
  Bf16RowsBuffer rounded_;
  HostMemory reordered_;
};

}  // namespace hangar::cpu
