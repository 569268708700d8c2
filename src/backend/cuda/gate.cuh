// Gate: f(x) * up on the card, for the functions that need no branch; AnyGate: for all of them.
//
// Promise: kSilu and kGeluTanh are both x / (1 + exp(-x (linear + cubic x^2))), as (1 + tanh(u)) /
//   2 = 1 / (1 + exp(-2 u)). knows() says which functions are such.
// Threads: values; the call is a device function.
#pragma once

#include "tensor/gate_function.h"

namespace hangar::cuda {

struct Gate {
  float linear = 1.0F;
  float cubic = 0.0F;

  static constexpr bool knows(GateFunction f) { return f != GateFunction::kGelu; }

#ifdef __CUDACC__
  __device__ __forceinline__ explicit Gate(GateFunction f) {
    if (f != GateFunction::kGeluTanh) return;
    linear = 1.59576912F;   // 2 sqrt(2 / pi)
    cubic = 0.0713548163F;  // 0.044715 of that
  }
  __device__ __forceinline__ float operator()(float x, float up) const {
    return __fdividef(x, 1.0F + __expf(-x * fmaf(cubic * x, x, linear))) * up;
  }
#endif
};

#ifdef __CUDACC__
class AnyGate {
 public:
  __device__ __forceinline__ explicit AnyGate(GateFunction f) : function_(f), known_(f) {}
  __device__ __forceinline__ float operator()(float x, float up) const {
    return Gate::knows(function_) ? known_(x, up) : gelu(x) * up;
  }

 private:
  __device__ static float gelu(float x) {
    return 0.5F * x * erfcf(x * -0.70710678F);  // erfc(-z) is 1 + erf(z)
  }

  GateFunction function_;
  Gate known_;
};
#endif

}  // namespace hangar::cuda
