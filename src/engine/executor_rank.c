/* A rank over comm, and the loop that such a rank runs. */
#include "engine/executor.h"

#include "base/clock.h"
#include "base/mem.h"

enum { TAG_PLAN = 1, TAG_RESULT = 2 };

struct rank_executor {
    struct executor base;
    struct comm *comm;
    int32_t rank;
    struct step_limits limits;
    uint8_t *plan_bytes, *result_bytes;
    size_t max_plan_bytes, max_result_bytes;
    struct comm_request sending, receiving;
    bool is_sending, is_receiving;
    struct step_result result;
    int64_t sent_ns;
};

/* Wait for the send of the plan before, whose bytes are about to be written again. It has long
 * arrived: its result is here. */
static void finish_sending(struct rank_executor *me)
{
    struct comm_backoff backoff = comm_backoff_begin(me->comm);

    while (me->is_sending && !comm_test(&me->sending, NULL))
        comm_backoff_wait(&backoff);
    me->is_sending = false;
}

static enum shoal_status send_plan(struct rank_executor *me, const struct step_plan *plan,
                                   struct shoal_error *err)
{
    enum shoal_status status;

    finish_sending(me);
    step_plan_pack(plan, me->plan_bytes);
    status = comm_send(me->comm, me->rank, TAG_PLAN, me->plan_bytes, step_plan_packed_bytes(plan),
                       &me->sending, err);
    me->is_sending = status == SHOAL_OK;
    if (me->is_sending)
        me->base.bytes_out += (int64_t)step_plan_packed_bytes(plan);
    return status;
}

static enum shoal_status submit(struct executor *x, const struct step_plan *plan,
                                struct shoal_error *err)
{
    struct rank_executor *me = (struct rank_executor *)x;
    enum shoal_status status;

    status = comm_receive(me->comm, me->rank, TAG_RESULT, me->result_bytes, me->max_result_bytes,
                          &me->receiving, err);
    if (status != SHOAL_OK)
        return status;
    me->is_receiving = true;
    me->sent_ns = clock_ns();
    return send_plan(me, plan, err);
}

static enum shoal_status poll(struct executor *x, const struct step_result **result,
                              struct shoal_error *err)
{
    struct rank_executor *me = (struct rank_executor *)x;
    enum shoal_status status;
    size_t n;

    *result = NULL;
    if (me->is_sending && comm_test(&me->sending, NULL))
        me->is_sending = false;
    if (!me->is_receiving || !comm_test(&me->receiving, &n))
        return SHOAL_OK;
    me->is_receiving = false;
    me->base.bytes_in += (int64_t)n;
    status = step_result_unpack(&me->result, &me->limits, me->result_bytes, n, err);
    if (status != SHOAL_OK)
        return status;
    /* What the round trip took beyond the rank's own work is communication. */
    const int64_t trip = clock_ns() - me->sent_ns;
    me->result.communicate_ns = trip > me->result.compute_ns ? trip - me->result.compute_ns : 0;
    *result = &me->result;
    return SHOAL_OK;
}

static void close_rank(struct executor *x)
{
    struct rank_executor *me = (struct rank_executor *)x;
    struct step_plan stop;

    if (me->is_receiving)
        comm_cancel(&me->receiving);
    if (step_plan_init(&stop, &me->limits, NULL) == SHOAL_OK) {
        stop.is_stop = true;
        if (send_plan(me, &stop, NULL) == SHOAL_OK)
            finish_sending(me);
    }
    step_plan_fini(&stop);
    step_result_fini(&me->result);
    mem_free(me->plan_bytes);
    mem_free(me->result_bytes);
    mem_free(me);
}

static const struct executor_ops rank_ops = {submit, poll, close_rank, NULL};

enum shoal_status executor_rank(struct executor **out, struct comm *comm, int32_t rank,
                                const struct step_limits *limits, struct shoal_error *err)
{
    struct rank_executor *me = mem_new(1, sizeof *me);
    enum shoal_status status;

    *out = NULL;
    if (!me)
        return shoal_fail_memory(err, "an executor", sizeof *me);
    *me = (struct rank_executor){.base = {.ops = &rank_ops},
                                 .comm = comm,
                                 .rank = rank,
                                 .limits = *limits,
                                 .max_plan_bytes = step_plan_max_bytes(limits),
                                 .max_result_bytes = step_result_max_bytes(limits)};
    status = step_result_init(&me->result, limits, err);
    if (status == SHOAL_OK) {
        me->plan_bytes = mem_new(me->max_plan_bytes, 1);
        me->result_bytes = mem_new(me->max_result_bytes, 1);
        if (!me->plan_bytes || !me->result_bytes)
            status = shoal_fail_memory(err, "message buffers",
                                       me->max_plan_bytes + me->max_result_bytes);
    }
    if (status != SHOAL_OK) {
        step_result_fini(&me->result);
        mem_free(me->plan_bytes);
        mem_free(me->result_bytes);
        mem_free(me);
        return status;
    }
    *out = &me->base;
    return SHOAL_OK;
}

/* What a serving rank needs. */
struct serving {
    struct comm *comm;
    struct worker *worker;
    struct comm_bell *bell;
    const struct step_limits *limits;
    const _Atomic int *interrupt;
    struct step_plan plan;
    uint8_t *plan_bytes, *result_bytes;
    enum shoal_status status;
    struct shoal_error *err;
};

/* Wait until r is done; false when the rank was interrupted. */
static bool wait_done(struct comm *comm, struct comm_request *r, size_t *n,
                      const _Atomic int *interrupt)
{
    struct comm_backoff backoff = comm_backoff_begin(comm);

    while (!comm_test(r, n)) {
        if (interrupt && atomic_load(interrupt))
            return false;
        comm_backoff_wait(&backoff);
    }
    return true;
}

static enum shoal_status serve(struct serving *s)
{
    struct comm *comm = s->comm;
    const _Atomic int *interrupt = s->interrupt;
    struct shoal_error *err = s->err;
    const size_t max_bytes = step_plan_max_bytes(s->limits);
    struct comm_request receiving, sending;
    int64_t waited_since = clock_ns();
    bool is_sending = false;

    for (;;) {
        const struct step_result *result;
        enum shoal_status status;
        size_t n;

        status = comm_receive(comm, 0, TAG_PLAN, s->plan_bytes, max_bytes, &receiving, err);
        if (status != SHOAL_OK)
            return status;
        if (!wait_done(comm, &receiving, &n, interrupt))
            return shoal_fail(err, SHOAL_E_INTERRUPTED, "interrupted");
        status = step_plan_unpack(&s->plan, s->plan_bytes, n, err);
        if (status != SHOAL_OK || s->plan.is_stop)
            return status;
        const int64_t started = clock_ns();
        status = worker_step(s->worker, &s->plan, &result, err);
        if (status != SHOAL_OK)
            return status;
        if (is_sending && !wait_done(comm, &sending, NULL, interrupt))
            return shoal_fail(err, SHOAL_E_INTERRUPTED, "interrupted");
        struct step_result out = *result;
        out.wait_ns = started - waited_since;
        step_result_pack(&out, s->result_bytes);
        status = comm_send(comm, 0, TAG_RESULT, s->result_bytes, step_result_packed_bytes(&out),
                           &sending, err);
        if (status != SHOAL_OK)
            return status;
        if (s->bell)
            comm_bell_ring(s->bell, out.step);
        is_sending = true;
        waited_since = clock_ns();
    }
}

static void serve_gathered(void *user)
{
    struct serving *s = user;

    s->status = serve(s);
}

enum shoal_status executor_serve(struct comm *comm, struct worker *worker, struct comm_bell *bell,
                                 const struct step_limits *limits, const _Atomic int *interrupt,
                                 struct shoal_error *err)
{
    struct serving s = {.comm = comm,
                        .worker = worker,
                        .bell = bell,
                        .limits = limits,
                        .interrupt = interrupt,
                        .plan_bytes = mem_new(step_plan_max_bytes(limits), 1),
                        .result_bytes = mem_new(step_result_max_bytes(limits), 1),
                        .err = err};
    enum shoal_status status = step_plan_init(&s.plan, limits, err);

    if (status == SHOAL_OK && (!s.plan_bytes || !s.result_bytes))
        status = shoal_fail_memory(err, "message buffers", step_plan_max_bytes(limits));
    if (status == SHOAL_OK) {
        worker_gather(worker, serve_gathered, &s);
        status = s.status;
    }
    step_plan_fini(&s.plan);
    mem_free(s.plan_bytes);
    mem_free(s.result_bytes);
    return status;
}
