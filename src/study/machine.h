/* study/machine.h - where a study runs, and which program it runs */
#ifndef STUDY_MACHINE_H
#define STUDY_MACHINE_H

#include "study/child.h"

#include <stdint.h>

struct machine {
    char program[4096]; /* path of this program */
    uint64_t program_hash;
    char version[32], commit[64], compiler[128], mpi[256];
    char cpu[128], isa[32], system[200];
    uint64_t memory; /* bytes that may still be taken */
    int32_t n_cores; /* that this process may use; hardware threads of one core count once */
    bool may_bind;   /* the whole machine is ours, so that mpirun's view of it is right */
    bool has_mpirun, has_gnuplot;
};

/* Starts `shoal --version`. */
enum shoal_status machine_look(struct machine *m, const struct stop_signals *stop,
                               struct shoal_error *err);

/* Of the hardware threads set in mask (n_words), the cores they make up; siblings tells of one
 * which hardware threads its core has, as /sys does ("0-1", "0,4"), or NULL. */
int32_t machine_count_cores(const uint64_t mask[], int32_t n_words,
                            const char *(*siblings)(void *user, int32_t cpu), void *user);

#endif
