// The door of libhangar_cuda.so: backend/plugin_abi.h.
#include "backend/plugin_abi.h"

#include "backend/cuda/cuda_backend.h"

extern "C" {

__attribute__((visibility("default"))) const char* hangar_backend_abi() {
  return hangar::kBackendAbi;
}

__attribute__((visibility("default"))) void hangar_make_backend(
    const hangar::BackendOptions& options, hangar::Result<std::unique_ptr<hangar::Backend>>& made) {
  made = hangar::make_cuda_backend(options);
}

}  // extern "C"
