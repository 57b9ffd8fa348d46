/* engine/observe.h - what an engine tells its observers, and what it writes of it
 *
 * The glue between the engine and observe/: registers the buffers, feeds the metrics, and writes
 * the files and reports that the options ask for. Every rank has one; metrics are rank 0's. */
#ifndef ENGINE_OBSERVE_H
#define ENGINE_OBSERVE_H

#include "engine/requests.h"
#include "observe/buffers.h"
#include "step/plan.h"
#include "step/result.h"

struct engine_observe;

/* Options that cannot be right: an unknown suffix, an interval without a file. */
enum shoal_status engine_observe_check(const struct shoal_options *options,
                                       struct shoal_error *err);

/* Before the model is opened; needs the settings and comm. */
enum shoal_status engine_observe_open(struct shoal_engine *e, struct shoal_error *err);
/* What was taken since the last call of either belongs to a buffer of that name; _skip: to nobody.
 */
void engine_observe_take(struct shoal_engine *e, const char *name, const char *owner,
                         enum memory_part part);
void engine_observe_skip(struct shoal_engine *e, const char *label);
/* The parts of e->worker. */
void engine_observe_worker(struct shoal_engine *e);
/* Everything is there: metrics, files, baselines. Rank 0's part is told by its status; then
 * engine_observe_ready on all ranks, when all have gone well. */
enum shoal_status engine_observe_begin(struct shoal_engine *e, struct shoal_error *err);
void engine_observe_ready(struct shoal_engine *e);

/* Rank 0, as things happen. */
void engine_observe_submit(struct shoal_engine *e);
void engine_observe_start(struct shoal_engine *e, const struct request *request, struct choice *c);
void engine_observe_plan(struct shoal_engine *e, const struct step_plan *plan);
void engine_observe_step(struct shoal_engine *e, const struct step_plan *plan,
                         const struct step_result *result, int64_t step_ns);
void engine_observe_token(struct shoal_engine *e, const struct request *request, int32_t choice,
                          int64_t now_ns);
void engine_observe_end(struct shoal_engine *e, const struct request *request, int32_t choice,
                        int64_t now_ns);
void engine_observe_poll(struct shoal_engine *e);

/* All ranks: the last measures, while everything is there still. */
void engine_observe_stop(struct shoal_engine *e);
/* Collective where all_ranks. Files and reports; frees it all. Fails when something could not be
 * written, or leaks were looked for and found. */
enum shoal_status engine_observe_close(struct shoal_engine *e, bool all_ranks);

#endif
