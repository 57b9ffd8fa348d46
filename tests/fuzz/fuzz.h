/* fuzz/fuzz.h - the entry that libFuzzer and fuzz/replay.c call with one input */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Crashes or aborts where a promise is broken; otherwise returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#endif
