// LayerOptions: what an architecture's decoder layers are built of, where ModelConfig's numbers do
// not say it.
//
// Promise: the defaults are Llama's. Everything that a number of the config switches (windows, soft
//   caps, scales, layers without rotation, experts, the gate function) needs no option here.
// Threads: values.
#pragma once

namespace hangar {

struct LayerOptions {
  // An RMS norm over each head of q and k, before they are rotated (Qwen3, Gemma 3).
  bool qk_norm = false;
  // An RMS norm of attention's and the MLP's output too, before it joins the residual (Gemma).
  bool post_norms = false;
  // Whether config.attention_bias speaks of the output projection as well as of q, k, v.
  bool output_bias = true;
  // A mixture of experts in place of the MLP, in the layers that the config names.
  bool experts = false;
};

}  // namespace hangar
