/* The worker runs in a thread of its own: rank 0 computes its share there while the leader serves
 * the other ranks. A mailbox of one plan and one result. */
#include "engine/executor.h"

#include "base/mem.h"

#include <pthread.h>
#include <time.h>

struct thread_executor {
    struct executor base;
    struct worker *worker;
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
        const enum shoal_status status = worker_step(me->worker, plan, &result, &error);
        pthread_mutex_lock(&me->lock);
        me->status = status;
        me->error = error;
        me->result = result;
        me->is_done = true;
        pthread_cond_broadcast(&me->changed);
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

static void wait_for_result(struct executor *x, int64_t max_ns)
{
    struct thread_executor *me = (struct thread_executor *)x;
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    const int64_t ns = until.tv_nsec + max_ns;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_mutex_lock(&me->lock);
    while (!me->is_done && pthread_cond_timedwait(&me->changed, &me->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&me->lock);
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

static const struct executor_ops thread_ops = {submit, poll, wait_for_result, close_thread, NULL};

enum shoal_status executor_thread(struct executor **out, struct worker *worker,
                                  struct shoal_error *err)
{
    struct thread_executor *me = mem_new(1, sizeof *me);
    pthread_condattr_t attributes;

    *out = NULL;
    if (!me) {
        worker_destroy(worker);
        return shoal_fail_memory(err, "an executor", sizeof *me);
    }
    *me = (struct thread_executor){.base = {.ops = &thread_ops}, .worker = worker};
    pthread_mutex_init(&me->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&me->changed, &attributes);
    pthread_condattr_destroy(&attributes);
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
