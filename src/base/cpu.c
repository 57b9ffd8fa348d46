#include "base/cpu.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* The operating system must save the wide registers, or their upper parts are lost at a switch. */
static uint64_t xgetbv0(void)
{
    uint32_t low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

enum cpu_isa cpu_isa_best(void)
{
    const uint64_t ymm_state = 0x06, zmm_state = 0xe6;
    uint32_t a, b, c, d, b7, c7;

    if (!__get_cpuid(1, &a, &b, &c, &d))
        return CPU_PORTABLE;
    const uint32_t has_fma = (c >> 12) & 1, has_xsave = (c >> 27) & 1, has_f16c = (c >> 29) & 1;
    if (!has_xsave || !has_fma || !has_f16c || !__get_cpuid_count(7, 0, &a, &b7, &c7, &d))
        return CPU_PORTABLE;
    const uint64_t saved = xgetbv0();
    if (!((b7 >> 5) & 1) || (saved & ymm_state) != ymm_state)
        return CPU_PORTABLE;
    const uint32_t f = (b7 >> 16) & 1, dq = (b7 >> 17) & 1, bw = (b7 >> 30) & 1, vl = b7 >> 31;
    const uint32_t vnni = (c7 >> 11) & 1;
    if (f && dq && bw && vl && vnni && (saved & zmm_state) == zmm_state)
        return CPU_AVX512;
    return CPU_AVX2;
}
#else
enum cpu_isa cpu_isa_best(void)
{
    return CPU_PORTABLE;
}
#endif

static const char *const isa_names[CPU_ISA_COUNT] = {"portable", "avx2", "avx512"};

const char *cpu_isa_name(enum cpu_isa isa)
{
    return isa_names[isa];
}

int cpu_isa_parse(const char *name)
{
    if (strcmp(name, "best") == 0)
        return CPU_ISA_COUNT - 1;
    for (int i = 0; i < CPU_ISA_COUNT; i++)
        if (strcmp(name, isa_names[i]) == 0)
            return i;
    return -1;
}

void cpu_affinity_mask(uint64_t mask[], int n_words)
{
    cpu_set_t set;

    memset(mask, 0, (size_t)n_words * sizeof *mask);
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        mask[0] = 1;
        return;
    }
    for (int i = 0; i < n_words * 64 && i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set))
            mask[i / 64] |= (uint64_t)1 << (i % 64);
}

int cpu_affinity_count(void)
{
    uint64_t mask[CPU_SETSIZE / 64];
    int n = 0;

    cpu_affinity_mask(mask, CPU_SETSIZE / 64);
    for (int i = 0; i < CPU_SETSIZE / 64; i++)
        n += __builtin_popcountll(mask[i]);
    return n > 0 ? n : 1;
}

const char *cpu_model_name(void)
{
    static char name[128];
    char line[256];
    FILE *f;

    if (name[0])
        return name;
    snprintf(name, sizeof name, "unknown");
    f = fopen("/proc/cpuinfo", "r");
    if (!f)
        return name;
    while (fgets(line, sizeof line, f)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon) {
            snprintf(name, sizeof name, "%s", colon + 2);
            name[strcspn(name, "\n")] = '\0';
            break;
        }
    }
    fclose(f);
    return name;
}

/* The number in a file of one number; UINT64_MAX for "max", no file, or anything else. */
static uint64_t read_number(const char *path)
{
    unsigned long long value;
    FILE *f = fopen(path, "r");
    int n;

    if (!f)
        return UINT64_MAX;
    n = fscanf(f, "%llu", &value);
    fclose(f);
    return n == 1 ? value : UINT64_MAX;
}

static uint64_t cgroup_left(const char *limit_path, const char *used_path)
{
    const uint64_t limit = read_number(limit_path), used = read_number(used_path);

    if (limit == UINT64_MAX || used == UINT64_MAX)
        return UINT64_MAX;
    return limit > used ? limit - used : 0;
}

uint64_t cpu_memory_available(void)
{
    uint64_t available = UINT64_MAX, left;
    char line[256];
    FILE *f = fopen("/proc/meminfo", "r");

    if (f) {
        unsigned long long kib;
        while (fgets(line, sizeof line, f))
            if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
                available = (uint64_t)kib * 1024;
        fclose(f);
    }
    left = cgroup_left("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current");
    available = left < available ? left : available;
    left = cgroup_left("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                       "/sys/fs/cgroup/memory/memory.usage_in_bytes");
    available = left < available ? left : available;
    return available == UINT64_MAX ? (uint64_t)1 << 30 : available;
}
