# The CUDA backend: libhangar_cuda.so, which hangar loads where there is a card. HANGAR_CUDA builds
# it; nothing else needs a CUDA compiler.
option(HANGAR_CUDA "Build the CUDA backend (needs nvcc 13)" OFF)
# ONLY leaves Hopper's own code out: a Hopper card then runs the portable one, which is how it is tested.
set(HANGAR_CUDA_PORTABLE ON CACHE STRING
    "Compile it for cards before Hopper (and, by PTX, after it) too: ON, OFF or ONLY")
# What compute-sanitizer's racecheck can follow: slower, and otherwise the same (src/backend/cuda/hopper.cuh).
option(HANGAR_CUDA_RACECHECK "Compile the CUDA kernels for compute-sanitizer's racecheck" OFF)
if(NOT HANGAR_CUDA)
  return()
endif()

if(NOT CMAKE_CUDA_COMPILER)
  find_program(CMAKE_CUDA_COMPILER nvcc HINTS ENV CUDA_HOME PATHS /usr/local/cuda PATH_SUFFIXES bin
               REQUIRED)
endif()
set(CMAKE_CUDA_ARCHITECTURES OFF)  # named below: Hopper's own instructions need the "a"
if(CCACHE_PROGRAM AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
enable_language(CUDA)
# After it: CMake 3.25 knows no standard of nvcc's beyond 17, and would try the compiler with it.
foreach(kind STANDARD EXTENSION)
  if(NOT CMAKE_CUDA20_${kind}_COMPILE_OPTION)
    set(CMAKE_CUDA20_${kind}_COMPILE_OPTION "-std=c++20")
  endif()
endforeach()
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
find_package(CUDAToolkit 13.0 REQUIRED)
# Where the toolkit is one that the loader does not know, programs in the build folder find it.
list(APPEND CMAKE_BUILD_RPATH ${CUDAToolkit_LIBRARY_DIR})

set(HANGAR_CUDA_FLAGS "")
if(NOT HANGAR_CUDA_PORTABLE STREQUAL ONLY)
  string(APPEND HANGAR_CUDA_FLAGS "-gencode=arch=compute_90a,code=sm_90a")
endif()
if(HANGAR_CUDA_PORTABLE)
  string(APPEND HANGAR_CUDA_FLAGS " -gencode=arch=compute_80,code=[sm_80,compute_80]")
endif()
# fmt 9 takes nvcc for a compiler without constexpr, and then contradicts itself in C++20.
string(APPEND HANGAR_CUDA_FLAGS " -DFMT_USE_CONSTEXPR=1")
set(CMAKE_CUDA_FLAGS "${HANGAR_CUDA_FLAGS} --expt-relaxed-constexpr -Xcompiler=-Wall,-Wextra")
set(CMAKE_CUDA_FLAGS_RELEASE "-O3 -DNDEBUG")
set(CMAKE_CUDA_FLAGS_DEV "-O3")
set(CMAKE_CUDA_FLAGS_SANITIZE "-O3")

# hangar_cuda_backend(): of src/backend/cuda, the objects, the library and cuda_tests.
function(hangar_cuda_backend)
  set(folder ${CMAKE_SOURCE_DIR}/src/backend/cuda)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*.cc ${folder}/*.cu)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|_bench|/plugin)\\.c[cu]$")
  list(FILTER tests INCLUDE REGEX "_test\\.c[cu]$")
  add_library(hangar_cuda_objects OBJECT ${sources})
  if(HANGAR_CUDA_RACECHECK)
    target_compile_definitions(hangar_cuda_objects PUBLIC HANGAR_CUDA_FOR_RACECHECK)
  endif()
  # C++ sees the warnings of HangarOptions; nvcc's own front end would trip over some of them.
  target_include_directories(hangar_cuda_objects SYSTEM PUBLIC ${CUDAToolkit_INCLUDE_DIRS})
  target_link_libraries(hangar_cuda_objects PUBLIC hangar_backend CUDA::cudart_static
                                                   CUDA::cublasLt)
  add_library(hangar_cuda MODULE ${folder}/plugin.cc)
  target_link_libraries(hangar_cuda PRIVATE hangar_cuda_objects)
  set_target_properties(hangar_cuda PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
  # Its own copies of what it shares with the program: no symbol meets another's.
  set(doors ${CMAKE_SOURCE_DIR}/cmake/hangar_cuda.map)
  target_link_options(hangar_cuda PRIVATE -Wl,--version-script=${doors} -Wl,-Bsymbolic)
  set_target_properties(hangar_cuda PROPERTIES LINK_DEPENDS ${doors})
  if(HANGAR_TESTS AND tests)
    hangar_test(cuda_tests SOURCES ${tests} DEPS hangar_cuda_objects)
  endif()
endfunction()
