#include "base/cpu.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Registers that the operating system must save, or they are lost at a switch: bits of XCR0. */
enum { YMM_STATE = 0x06, ZMM_STATE = 0xe6, TILE_STATE = 0x60000 };

static bool is_saved(uint32_t state)
{
    uint32_t low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & state) == state;
}

static bool has_bit(uint32_t word, int bit)
{
    return (word >> bit) & 1;
}

/* Tiles are for processes that asked for them: every signal frame grows by 8 KiB. */
static bool tiles_are_permitted(void)
{
    const long arch_req_xcomp_perm = 0x1023, tile_data = 18;

    return syscall(SYS_arch_prctl, arch_req_xcomp_perm, tile_data) == 0;
}

static bool processor_has(enum cpu_isa isa)
{
    uint32_t a, b, c, d, a1 = 0;

    if (isa == CPU_PORTABLE)
        return true;
    /* XSAVE, FMA, F16C; AVX2 */
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has_bit(c, 27) || !has_bit(c, 12) || !has_bit(c, 29))
        return false;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !has_bit(b, 5) || !is_saved(YMM_STATE))
        return false;
    if (isa == CPU_AVX2)
        return true;
    if (isa == CPU_AVXVNNI) {
        uint32_t b1, c1, d1;
        return a >= 1 && __get_cpuid_count(7, 1, &a1, &b1, &c1, &d1) && has_bit(a1, 4);
    }
    /* F, DQ, BW, VL; VNNI */
    if (!has_bit(b, 16) || !has_bit(b, 17) || !has_bit(b, 30) || !has_bit(b, 31) ||
        !has_bit(c, 11) || !is_saved(ZMM_STATE))
        return false;
    /* AMX-TILE, AMX-INT8 */
    return isa == CPU_AVX512 ||
           (has_bit(d, 24) && has_bit(d, 25) && is_saved(TILE_STATE) && tiles_are_permitted());
}
#else
static bool processor_has(enum cpu_isa isa)
{
    return isa == CPU_PORTABLE;
}
#endif

bool cpu_isa_is_built(enum cpu_isa isa)
{
#ifdef SHOAL_NO_AVXVNNI
    if (isa == CPU_AVXVNNI)
        return false;
#endif
#ifdef SHOAL_NO_AMX
    if (isa == CPU_AMX)
        return false;
#endif
    return isa < CPU_ISA_COUNT;
}

/* Asked once: in a virtual machine a CPUID takes many microseconds. */
bool cpu_isa_has(enum cpu_isa isa)
{
    static _Atomic unsigned asked, found; /* bit isa */
    const unsigned bit = 1u << isa;

    if (!(asked & bit)) {
        if (cpu_isa_is_built(isa) && processor_has(isa))
            found |= bit;
        asked |= bit;
    }
    return (found & bit) != 0;
}

enum cpu_isa cpu_isa_best(void)
{
    int isa = CPU_ISA_COUNT - 1;

    while (!cpu_isa_has((enum cpu_isa)isa))
        isa--;
    return (enum cpu_isa)isa;
}

static const char *const isa_names[CPU_ISA_COUNT] = {"portable", "avx2", "avxvnni", "avx512",
                                                     "amx"};

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
