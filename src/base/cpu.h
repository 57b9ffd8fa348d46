/* base/cpu.h - what this processor, this process and this machine offer */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <stdint.h>

/* Instruction sets that kernels exist for, each including the ones before it. */
enum cpu_isa {
    CPU_PORTABLE,
    CPU_AVX2,   /* with FMA and F16C */
    CPU_AVX512, /* F, BW, VL, DQ and VNNI */
    CPU_ISA_COUNT
};

/* The best that the processor has and the operating system saves (XGETBV). */
enum cpu_isa cpu_isa_best(void);
const char *cpu_isa_name(enum cpu_isa isa);
/* "portable", "avx2", "avx512", "best"; -1 for another name. */
int cpu_isa_parse(const char *name);

int cpu_affinity_count(void); /* cores in this process's affinity mask, at least 1 */
/* Sets bit i of mask[i / 64] for each core of the affinity mask; n_words * 64 cores at most. */
void cpu_affinity_mask(uint64_t mask[], int n_words);
const char *cpu_model_name(void); /* "AMD EPYC ..."; "unknown" where /proc does not say */

/* Memory that may still be taken: MemAvailable, or what the cgroup's limit leaves where lower. */
uint64_t cpu_memory_available(void);

#endif
