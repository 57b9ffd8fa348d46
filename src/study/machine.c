#include "study/machine.h"

#include "base/cpu.h"
#include "base/hash.h"
#include "base/status.h"
#include "shoal/shoal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { MASK_WORDS = 16, SECONDS_FOR_VERSION = 60 };

static void cut_line(char *s)
{
    s[strcspn(s, "\n")] = '\0';
}

/* The first hardware thread of a core stands for it. */
int32_t machine_count_cores(const uint64_t mask[], int32_t n_words,
                            const char *(*siblings)(void *user, int32_t cpu), void *user)
{
    uint64_t firsts[MASK_WORDS] = {0};
    int32_t n = 0;

    for (int32_t cpu = 0; cpu < n_words * 64 && cpu < MASK_WORDS * 64; cpu++) {
        const char *list = mask[cpu / 64] >> (cpu % 64) & 1 ? siblings(user, cpu) : NULL;
        long first = list ? strtol(list, NULL, 10) : cpu;
        if (!(mask[cpu / 64] >> (cpu % 64) & 1))
            continue;
        if (first < 0 || first >= MASK_WORDS * 64)
            first = cpu;
        const uint64_t bit = (uint64_t)1 << (first % 64);
        n += !(firsts[first / 64] & bit);
        firsts[first / 64] |= bit;
    }
    return n > 0 ? n : 1;
}

static const char *read_siblings(void *user, int32_t cpu)
{
    char *line = user, name[96];
    FILE *f;

    snprintf(name, sizeof name, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    f = fopen(name, "r");
    if (!f)
        return NULL;
    const bool is_read = fgets(line, 256, f) != NULL;
    fclose(f);
    return is_read ? line : NULL;
}

static enum shoal_status hash_program(struct machine *m, struct shoal_error *err)
{
    static const char self[] = "/proc/self/exe";
    const ssize_t n = readlink(self, m->program, sizeof m->program - 1);
    char bytes[1 << 16];
    FILE *f = n > 0 ? fopen(self, "rb") : NULL;
    size_t n_read;

    if (!f)
        return shoal_fail(err, SHOAL_E_IO, "cannot read %s: %s", self, strerror(errno));
    m->program[n] = '\0';
    m->program_hash = 0;
    while ((n_read = fread(bytes, 1, sizeof bytes, f)) > 0)
        m->program_hash = hash64(bytes, n_read, m->program_hash);
    fclose(f);
    return SHOAL_OK;
}

/* What stands behind a word at the start of a line of `shoal --version`. */
static void find_line(const char *text, const char *word, char *out, size_t n)
{
    const size_t n_word = strlen(word);

    snprintf(out, n, "unknown");
    for (const char *line = text; line && *line;) {
        const char *end = strchr(line, '\n');
        if (strncmp(line, word, n_word) == 0 && line[n_word] == ' ') {
            snprintf(out, n, "%s", line + n_word + strspn(line + n_word, " "));
            cut_line(out);
            return;
        }
        line = end ? end + 1 : NULL;
    }
}

static enum shoal_status ask_version(struct machine *m, const struct stop_signals *stop,
                                     struct shoal_error *err)
{
    const char *const argv[] = {m->program, "--version", NULL};
    struct child_output output;
    const enum shoal_status status = child_run(&output, argv, NULL, SECONDS_FOR_VERSION, stop, err);

    if (!status && output.code == 0) {
        find_line(output.out.bytes, "commit", m->commit, sizeof m->commit);
        find_line(output.out.bytes, "compiler", m->compiler, sizeof m->compiler);
        find_line(output.out.bytes, "MPI", m->mpi, sizeof m->mpi);
    }
    const int code = output.code;
    child_output_fini(&output);
    if (!status && code != 0)
        return shoal_fail(err, SHOAL_E_IO, "%s --version fails with exit code %d", m->program,
                          code);
    return status;
}

enum shoal_status machine_look(struct machine *m, const struct stop_signals *stop,
                               struct shoal_error *err)
{
    uint64_t mask[MASK_WORDS];
    char line[256];
    struct utsname name;
    enum shoal_status status;

    *m = (struct machine){.memory = cpu_memory_available()};
    status = hash_program(m, err);
    if (!status)
        status = ask_version(m, stop, err);
    if (status)
        return status;
    snprintf(m->version, sizeof m->version, "%s", shoal_version());
    snprintf(m->cpu, sizeof m->cpu, "%s", cpu_model_name());
    cut_line(m->cpu);
    snprintf(m->isa, sizeof m->isa, "%s", cpu_isa_name(cpu_isa_best()));
    if (uname(&name) == 0)
        snprintf(m->system, sizeof m->system, "%.60s %.60s", name.sysname, name.release);
    cpu_affinity_mask(mask, MASK_WORDS);
    m->n_cores = machine_count_cores(mask, MASK_WORDS, read_siblings, line);
    m->may_bind = cpu_affinity_count() == (int)sysconf(_SC_NPROCESSORS_ONLN);
    m->has_mpirun = child_exists("mpirun");
    m->has_gnuplot = child_exists("gnuplot");
    return SHOAL_OK;
}
