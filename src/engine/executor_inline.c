/* The worker runs inside submit, in the leader's own thread. */
#include "engine/executor.h"

#include "base/mem.h"

struct inline_executor {
    struct executor base;
    struct worker *worker;
    const struct step_result *result;
};

static enum shoal_status submit(struct executor *x, const struct step_plan *plan,
                                struct shoal_error *err)
{
    struct inline_executor *me = (struct inline_executor *)x;

    return worker_step(me->worker, plan, &me->result, err);
}

static enum shoal_status poll(struct executor *x, const struct step_result **result,
                              struct shoal_error *err)
{
    struct inline_executor *me = (struct inline_executor *)x;

    (void)err;
    *result = me->result;
    me->result = NULL;
    return SHOAL_OK;
}

static void close_inline(struct executor *x)
{
    struct inline_executor *me = (struct inline_executor *)x;

    worker_destroy(me->worker);
    mem_free(me);
}

static void gather(struct executor *x, void (*body)(void *user), void *user)
{
    worker_gather(((struct inline_executor *)x)->worker, body, user);
}

static const struct executor_ops inline_ops = {submit, poll, close_inline, gather};

enum shoal_status executor_inline(struct executor **out, struct worker *worker,
                                  struct shoal_error *err)
{
    struct inline_executor *me = mem_new(1, sizeof *me);

    *out = NULL;
    if (!me) {
        worker_destroy(worker);
        return shoal_fail_memory(err, "an executor", sizeof *me);
    }
    *me = (struct inline_executor){.base = {.ops = &inline_ops}, .worker = worker};
    *out = &me->base;
    return SHOAL_OK;
}
