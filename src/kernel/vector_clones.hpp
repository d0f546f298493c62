#pragma once

// One binary for every x86-64 processor: the loader picks the version of a function marked so that the machine can run.
// Loops shared by several of them are templates that each version compiles anew, so they must be inlined.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define STEPWISE_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#define STEPWISE_VECTOR_BODY __attribute__((always_inline)) inline
#define STEPWISE_VECTOR_LAMBDA __attribute__((always_inline))
#else
#define STEPWISE_VECTOR_CLONES
#define STEPWISE_VECTOR_BODY inline
#define STEPWISE_VECTOR_LAMBDA
#endif
