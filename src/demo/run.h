/* demo/run.h - an engine with the demos' watch in it, and its requests
 *
 * Every rank opens one; on rank 0 the demo goes on, the others serve. */
#ifndef DEMO_RUN_H
#define DEMO_RUN_H

#include "demo/options.h"
#include "demo/watch.h"
#include "demo/workload.h"

struct demo_run {
    struct shoal_engine *engine;
    struct shoal_info info;
    struct shoal_plugin_use uses[2];
    struct workload load;
    struct watch watch; /* rank 0 */
};

/* Zero *r. more: one more plugin of the demo's own, or NULL. In any case *r must be closed. */
enum shoal_status demo_run_open(struct demo_run *r, const struct demo_options *o,
                                const struct shoal_plugin_use *more, struct shoal_error *err);
enum shoal_status demo_run_close(struct demo_run *r);

/* Make the requests of the options and hand them to the engine; and one that is made already. */
enum shoal_status demo_run_fill(struct demo_run *r, const struct demo_options *o,
                                struct shoal_error *err);
enum shoal_status demo_run_submit(struct demo_run *r, struct demo_request *request,
                                  struct shoal_error *err);
/* Run until all requests have ended; and take what events there are. */
enum shoal_status demo_run_all(struct demo_run *r, struct shoal_error *err);
void demo_run_take_events(struct demo_run *r);

/* The name of a request by its id. */
const char *demo_run_name(const struct demo_run *r, uint64_t id);

#endif
