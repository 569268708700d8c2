// What products are measured on: their inputs and outputs in a scratch, and runs without the host.
//
// Promise: product_of() is a product of a key's sizes and types, without its weights. place() puts
//   x of `rows` rows at the scratch's begin and y at its end, so that no y is written where an x of
//   more rows will be; false: they do not fit. fill_*() put random numbers of ordinary size where x
//   lies, since zeros run faster than what comes later: fill_inputs() for so many rows, or as many
//   as there is room for; after place(), fill_direct_inputs() in 16 bits, fill_int4_inputs() as
//   4-bit weights want them. A Replay is a graph of what `body` puts on the stream.
// Errors: CudaError.
// Threads: as Backend.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cuda/launch.h"
#include "backend/cuda/product.h"
#include "backend/cuda/product_choices.h"
#include "backend/cuda/products.h"

namespace hangar::cuda {

class Replay {
 public:
  template <typename Body>
  Replay(cudaStream_t stream, Body&& body) : stream_(stream) {
    HANGAR_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
    body();
    cudaGraph_t graph = nullptr;
    HANGAR_CUDA(cudaStreamEndCapture(stream, &graph));
    const cudaError_t made = cudaGraphInstantiate(&graph_, graph, 0);
    (void)cudaGraphDestroy(graph);
    HANGAR_CUDA(made);
  }
  ~Replay() { (void)cudaGraphExecDestroy(graph_); }
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  void run() { HANGAR_CUDA(cudaGraphLaunch(graph_, stream_)); }

 private:
  cudaStream_t stream_;
  cudaGraphExec_t graph_ = nullptr;
};

Product product_of(const ProductKey& key);
std::size_t y_bytes(const Product& product);
bool place(const Launch& launch, Product& product, std::int64_t rows, DeviceScratch scratch);
void fill_inputs(const Launch& launch, const Product& product, std::int64_t rows,
                 DeviceScratch scratch);
void fill_direct_inputs(const Launch& launch, const Product& product, DeviceScratch scratch);
void fill_int4_inputs(const Launch& launch, const Product& product, DeviceScratch scratch);

}  // namespace hangar::cuda
