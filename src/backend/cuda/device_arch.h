// Which of the kernels' compilations this card runs.
//
// Promise: runs_hopper_code() says whether the current card runs what was compiled for Hopper: not
//   where only the portable code was built (HANGAR_CUDA_PORTABLE=ONLY, which is how that code is
//   tested on a Hopper card: the driver compiles it there).
// Errors: CudaError.
// Threads: any; the card is the calling thread's.
#pragma once

namespace hangar::cuda {

bool runs_hopper_code();

}  // namespace hangar::cuda
