/* base/cpu.h - what this processor, this process and this machine offer */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <stdbool.h>
#include <stdint.h>

/* Instruction sets that kernels exist for, a better one after the others. A processor may have one
 * and not the one before it: AVX-512 came before AVX-VNNI. */
enum cpu_isa {
    CPU_PORTABLE,
    CPU_AVX2,    /* with FMA and F16C */
    CPU_AVXVNNI, /* CPU_AVX2 and VNNI of 256 bits */
    CPU_AVX512,  /* F, BW, VL, DQ and VNNI */
    CPU_AMX,     /* CPU_AVX512 and int8 tiles */
    CPU_ISA_COUNT
};

/* Whether this build has kernels for it: an old compiler knows no CPU_AVXVNNI or CPU_AMX. */
bool cpu_isa_is_built(enum cpu_isa isa);
/* Whether it is built, the processor has it and the operating system saves its registers (XGETBV).
 * For CPU_AMX this asks the kernel to let the process use tiles. */
bool cpu_isa_has(enum cpu_isa isa);
enum cpu_isa cpu_isa_best(void); /* of those that cpu_isa_has */
const char *cpu_isa_name(enum cpu_isa isa);
/* "portable", "avx2", "avxvnni", "avx512", "amx", "best"; -1 for another name. */
int cpu_isa_parse(const char *name);

int cpu_affinity_count(void); /* cores in this process's affinity mask, at least 1 */
/* Sets bit i of mask[i / 64] for each core of the affinity mask; n_words * 64 cores at most. */
void cpu_affinity_mask(uint64_t mask[], int n_words);
const char *cpu_model_name(void); /* "AMD EPYC ..."; "unknown" where /proc does not say */

/* Memory that may still be taken: MemAvailable, or what the cgroup's limit leaves where lower. */
uint64_t cpu_memory_available(void);

#endif
