/* cli/run_loop.h - from requests to results: read, submit, work, write, until there are no more
 *
 * Reads on only while few thousand choices are under way, so that a file of any length takes little
 * memory. Uses the public API alone. */
#ifndef CLI_RUN_LOOP_H
#define CLI_RUN_LOOP_H

#include "cli/held_requests.h"
#include "cli/progress.h"
#include "cli/prompt_printer.h"
#include "cli/request_source.h"
#include "cli/result_file.h"
#include "cli/result_line.h"
#include "cli/summary.h"

struct run_loop {
    struct shoal_engine *engine; /* borrowed */
    struct request_source source;
    struct result_file results;
    struct prompt_printer printer;
    struct result_context context;
    struct summary summary;
    struct progress progress;

    enum source_result last_read;
    struct held_requests held;
    struct job *jobs;  /* under way */
    int64_t n_choices; /* of them */
    int64_t n_done;    /* requests that have ended, well or not */
    int64_t n_refused; /* of these, the ones that never ran */
    struct text line;
};

/* Source, results and printer are open. SHOAL_OK when every request has ended, well or not;
 * SHOAL_E_INTERRUPTED; or what stopped the engine. Whatever had been submitted has its result. */
enum shoal_status run_loop(struct run_loop *r, struct shoal_error *err);
/* Bytes of input, latencies, ids and results that it keeps; user is the loop. */
uint64_t run_loop_bytes(void *user);
/* Frees what the loop itself took. */
void run_loop_fini(struct run_loop *r);

#endif
