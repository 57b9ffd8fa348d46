/* The worker runs in a thread of its own: rank 0 computes its share there while the leader serves
 * the other ranks. A mailbox of one plan and one result. */
#include "engine/executor.h"

#include "base/mem.h"

#include <pthread.h>

struct thread_executor {
    struct executor base;
    struct worker *worker;
    struct comm_bell *bell;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;

    /* under the lock */
    const struct step_plan *plan; /* set by submit, taken by the thread */
    const struct step_result *result;
    bool is_done, is_closing;
    enum shoal_status status;
    struct shoal_error error;
};

static void serve(void *user)
{
    struct thread_executor *me = user;

    pthread_mutex_lock(&me->lock);
    for (;;) {
        while (!me->plan && !me->is_closing)
            pthread_cond_wait(&me->changed, &me->lock);
        if (!me->plan)
            break;
        const struct step_plan *plan = me->plan;
        const struct step_result *result = NULL;
        struct shoal_error error = {SHOAL_OK, ""};
        me->plan = NULL;
        pthread_mutex_unlock(&me->lock);
        const uint64_t step = plan->step;
        const enum shoal_status status = worker_step(me->worker, plan, &result, &error);
        pthread_mutex_lock(&me->lock);
        me->status = status;
        me->error = error;
        me->result = result;
        me->is_done = true;
        if (me->bell)
            comm_bell_ring(me->bell, step);
    }
    pthread_mutex_unlock(&me->lock);
}

static void *thread_main(void *user)
{
    worker_gather(((struct thread_executor *)user)->worker, serve, user);
    return NULL;
}

static enum shoal_status submit(struct executor *x, const struct step_plan *plan,
                                struct shoal_error *err)
{
    struct thread_executor *me = (struct thread_executor *)x;

    (void)err;
    pthread_mutex_lock(&me->lock);
    me->plan = plan;
    me->is_done = false;
    pthread_cond_broadcast(&me->changed);
    pthread_mutex_unlock(&me->lock);
    return SHOAL_OK;
}

static enum shoal_status poll(struct executor *x, const struct step_result **result,
                              struct shoal_error *err)
{
    struct thread_executor *me = (struct thread_executor *)x;
    enum shoal_status status = SHOAL_OK;

    *result = NULL;
    pthread_mutex_lock(&me->lock);
    if (me->is_done) {
        me->is_done = false;
        status = me->status;
        if (status == SHOAL_OK)
            *result = me->result;
        else if (err)
            *err = me->error;
    }
    pthread_mutex_unlock(&me->lock);
    return status;
}

static void close_thread(struct executor *x)
{
    struct thread_executor *me = (struct thread_executor *)x;

    pthread_mutex_lock(&me->lock);
    me->is_closing = true;
    pthread_cond_broadcast(&me->changed);
    pthread_mutex_unlock(&me->lock);
    pthread_join(me->thread, NULL);
    pthread_cond_destroy(&me->changed);
    pthread_mutex_destroy(&me->lock);
    worker_destroy(me->worker);
    mem_free(me);
}

static const struct executor_ops thread_ops = {submit, poll, close_thread, NULL};

enum shoal_status executor_thread(struct executor **out, struct worker *worker,
                                  struct comm_bell *bell, struct shoal_error *err)
{
    struct thread_executor *me = mem_new(1, sizeof *me);

    *out = NULL;
    if (!me) {
        worker_destroy(worker);
        return shoal_fail_memory(err, "an executor", sizeof *me);
    }
    *me = (struct thread_executor){.base = {.ops = &thread_ops}, .worker = worker, .bell = bell};
    pthread_mutex_init(&me->lock, NULL);
    pthread_cond_init(&me->changed, NULL);
    if (pthread_create(&me->thread, NULL, thread_main, me) != 0) {
        pthread_cond_destroy(&me->changed);
        pthread_mutex_destroy(&me->lock);
        worker_destroy(worker);
        mem_free(me);
        return shoal_fail(err, SHOAL_E_NO_MEMORY, "cannot start rank 0's compute thread");
    }
    *out = &me->base;
    return SHOAL_OK;
}
