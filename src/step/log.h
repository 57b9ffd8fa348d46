/* step/log.h - the step log: a run, written so that it can be run again
 *
 * A head (what the run was), then records in the order in which they happened: each request, each
 * plan, each result, and at a clean end the counts. docs/step-plan.md has the bytes. Every record
 * carries a check over its head and one over its bytes, so that a log that was cut short (a crash,
 * a full disk) is told from one that was changed.
 *
 * The leader writes; one thread at a time. Writing allocates nothing after open. */
#ifndef STEP_LOG_H
#define STEP_LOG_H

#include "step/plan.h"
#include "step/result.h"

enum {
    STEP_LOG_VERSION = 1,
    STEP_LOG_MAX_ID = 1 << 16,       /* bytes of a custom id */
    STEP_LOG_MAX_ISA = 64,           /* bytes of the name of a kernel set */
    STEP_LOG_MAX_SETTINGS = 1 << 20, /* bytes */
    STEP_LOG_MAX_GROUPS = 1 << 16
};

struct step_log_head {
    uint32_t numerics_version; /* of shoal: SHOAL_NUMERICS_VERSION */
    uint64_t model_hash;
    int32_t n_groups; /* shard groups */
    struct step_limits limits;
    const char *isa;      /* the kernels that ran: "avx2" */
    const char *settings; /* "name = value" lines */
};

/* A sequence as it came in. */
struct step_log_request {
    uint64_t request;      /* the leader's number, as in step_new_slot */
    const char *custom_id; /* the client's name for it; may be empty */
    int32_t n_prompt;
    const int32_t *prompt; /* (n_prompt) */
};

struct step_log_counts {
    uint64_t n_requests, n_plans, n_results;
};

struct step_log_writer;

/* Creates or empties the file at path and writes the head, whose version is SHOAL_NUMERICS_VERSION
 * whatever it says. flushes_results: hand everything to the kernel after each result, so that an
 * interrupted run keeps what was done. */
enum shoal_status step_log_writer_open(struct step_log_writer **out, const char *path,
                                       const struct step_log_head *head, bool flushes_results,
                                       struct shoal_error *err);
/* The first failure (a full disk) is logged, with the path; later calls then do nothing, and close
 * returns it: the run goes on and fails at its end. A custom id is cut at STEP_LOG_MAX_ID. */
void step_log_writer_request(struct step_log_writer *w, const struct step_log_request *request);
void step_log_writer_plan(struct step_log_writer *w, const struct step_plan *p);
void step_log_writer_result(struct step_log_writer *w, const struct step_result *r);
/* Writes the end, closes the file and frees w (NULL is fine). A failure that is returned has been
 * logged already. Without a clean end (is_clean false) the log reads as one cut short. */
enum shoal_status step_log_writer_close(struct step_log_writer *w, bool is_clean,
                                        struct shoal_error *err);

enum step_log_kind {
    STEP_LOG_REQUEST,
    STEP_LOG_PLAN,
    STEP_LOG_RESULT,
    STEP_LOG_END, /* the clean end */
    STEP_LOG_CUT, /* the file ends in the middle: the run was interrupted or the file cut */
    STEP_LOG_KIND_COUNT
};

/* What step_log_reader_next found. Pointers are the reader's, until the next call. */
struct step_log_record {
    enum step_log_kind kind;
    uint64_t at;                      /* byte of the file where it begins; STEP_LOG_CUT: its end */
    struct step_log_request request;  /* STEP_LOG_REQUEST */
    const struct step_plan *plan;     /* STEP_LOG_PLAN, checked */
    const struct step_result *result; /* STEP_LOG_RESULT, checked */
    struct step_log_counts counts;    /* of the records so far */
};

struct step_log_reader;

/* Nothing in the file is trusted. SHOAL_E_IO when it cannot be read or ends inside the head,
 * SHOAL_E_UNSUPPORTED for another version of the format; another numerics version is the caller's
 * to judge. */
enum shoal_status step_log_reader_open(struct step_log_reader **out, const char *path,
                                       struct shoal_error *err);
const struct step_log_head *step_log_reader_head(const struct step_log_reader *r);
/* The next record. SHOAL_E_FORMAT, with the byte, for a log that was changed. A log that ends early
 * is not an error here: the last record is STEP_LOG_CUT, and step_log_cut says it in words. After
 * the end, and after an error, the same comes again. */
enum shoal_status step_log_reader_next(struct step_log_reader *r, struct step_log_record *out,
                                       struct shoal_error *err);
/* "PATH: cut short at byte N, after ... plans and ... results" into err; returns its status,
 * SHOAL_E_INTERRUPTED. For a caller to whom a cut log is a failure or a warning. */
enum shoal_status step_log_cut(const struct step_log_reader *r,
                               const struct step_log_record *record, struct shoal_error *err);
void step_log_reader_close(struct step_log_reader *r); /* NULL is fine */

#endif
