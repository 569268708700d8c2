// Gate: f(x) * up on the card, for the functions that need no branch; AnyGate: for all of them.
//
// Promise: kSilu and kGeluTanh are both x / (1 + 2^(x (linear + cubic x^2))): (1 + tanh(u)) / 2 is
//   1 / (1 + exp(-2 u)). knows() says which functions are such.
// Threads: values; the call is a device function.
#pragma once

#include "tensor/gate_function.h"

namespace hangar::cuda {

struct Gate {
  float linear = -1.44269504F;  // -log2(e)
  float cubic = 0.0F;

  static constexpr bool knows(GateFunction f) { return f != GateFunction::kGelu; }

#ifdef __CUDACC__
  __device__ __forceinline__ explicit Gate(GateFunction f) {
    if (f != GateFunction::kGeluTanh) return;
    linear = -2.30220819F;  // times 2 sqrt(2 / pi)
    cubic = -0.102943240F;  // 0.044715 of that
  }
  __device__ __forceinline__ float operator()(float x, float up) const {
    // What overflows makes the factor 0, as it should be.
    float power = 0.0F;
    float factor = 0.0F;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x * fmaf(cubic * x, x, linear)));
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(factor) : "f"(1.0F + power));
    return x * factor * up;
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
