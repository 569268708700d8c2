// The name that kernels over int_dot-inl.h are compiled under, once for each extension.
//
// Promise: a file that compiles them for an extension defines HANGAR_INT_VARIANT (a name of its
//   own) and what it is for (HANGAR_AVX_VNNI, HANGAR_ARM_DOT) before it includes anything. The name
//   becomes an inline namespace, so that the linker can't take one variant's code for another's.
// Threads: macros.
#pragma once

#ifndef HANGAR_INT_VARIANT
#define HANGAR_INT_VARIANT plain
#endif
