/* Messages between ranks, and to oneself without MPI. The structs come from a pool, so that a step
 * allocates nothing; a request's handle is its struct message. */
#include "comm/ranks.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { REQUESTS_A_RANK = 4 };

enum message_state { MESSAGE_FREE, MESSAGE_SEND, MESSAGE_RECEIVE };

struct message {
    struct comm *c;
    struct message *next; /* in the free list or a queue to itself */
    enum message_state state;
    int32_t peer, tag;
    MPI_Request request; /* with MPI; without it, the fields below */
    const void *from;    /* send: (n) borrowed */
    void *into;          /* receive: (n) borrowed; n becomes what came */
    size_t n;
    bool is_done, is_cut; /* is_cut: more came than there was room for */
};

struct message_chunk {
    struct message_chunk *next;
    int32_t n;
    struct message messages[]; /* (n) never moved: requests point to them */
};

static bool grow(struct comm *c, int32_t n)
{
    /* In bytes: the chunk's head and its messages in one piece. */
    struct message_chunk *chunk = mem_new(1, sizeof *chunk + (size_t)n * sizeof *chunk->messages);

    if (!chunk)
        return false;
    chunk->n = n;
    chunk->next = c->messages.chunks;
    c->messages.chunks = chunk;
    for (int32_t i = n - 1; i >= 0; i--) {
        chunk->messages[i].c = c;
        chunk->messages[i].next = c->messages.free;
        c->messages.free = &chunk->messages[i];
    }
    return true;
}

bool comm_messages_init(struct comm *c)
{
    return grow(c, COMM_MIN_REQUESTS + REQUESTS_A_RANK * c->world.size);
}

static void give_back(struct message *m)
{
    m->state = MESSAGE_FREE;
    m->next = m->c->messages.free;
    m->c->messages.free = m;
}

static enum shoal_status take(struct comm *c, enum message_state state, int32_t peer, int32_t tag,
                              struct message **out, struct shoal_error *err)
{
    const char *direction = state == MESSAGE_SEND ? "to" : "from";

    if (peer < 0 || peer >= c->world.size)
        return shoal_fail(err, SHOAL_E_INVALID, "a message %s rank %d, but the ranks are 0 to %d",
                          direction, peer, c->world.size - 1);
    if (tag < 0)
        return shoal_fail(err, SHOAL_E_INVALID,
                          "a message %s rank %d with tag %d: tags are 0 or more", direction, peer,
                          tag);
    if (!c->messages.free) {
        if (mem_step_phase())
            return shoal_fail(err, SHOAL_E_LIMIT,
                              "too many messages are under way in a step (%s): wait for some "
                              "before sending more",
                              mem_step_phase());
        if (!grow(c, c->messages.chunks->n))
            return shoal_fail_memory(err, "the list of messages",
                                     (size_t)c->messages.chunks->n * sizeof(struct message));
    }
    struct message *m = c->messages.free;

    c->messages.free = m->next;
    *m = (struct message){
        .c = c, .state = state, .peer = peer, .tag = tag, .request = MPI_REQUEST_NULL};
    *out = m;
    return SHOAL_OK;
}

static void queue_add(struct message **first, struct message **last, struct message *m)
{
    if (*first)
        (*last)->next = m;
    else
        *first = m;
    *last = m;
}

/* Takes out the first message with tag, or just m when m is not NULL; NULL: there is none. */
static struct message *queue_take(struct message **first, struct message **last, int32_t tag,
                                  const struct message *m)
{
    struct message *before = NULL, *found = *first;

    while (found && (m ? found != m : found->tag != tag)) {
        before = found;
        found = found->next;
    }
    if (!found)
        return NULL;
    if (before)
        before->next = found->next;
    else
        *first = found->next;
    if (*last == found)
        *last = before;
    found->next = NULL;
    return found;
}

static void hand_over(struct message *send, struct message *receive)
{
    receive->is_cut = send->n > receive->n;
    if (!receive->is_cut && send->n > 0)
        memcpy(receive->into, send->from, send->n);
    receive->n = send->n;
    send->is_done = receive->is_done = true;
}

static void send_to_self(struct messages *all, struct message *send)
{
    struct message *receive = queue_take(&all->first_receive, &all->last_receive, send->tag, NULL);

    if (receive)
        hand_over(send, receive);
    else
        queue_add(&all->first_send, &all->last_send, send);
}

static void receive_from_self(struct messages *all, struct message *receive)
{
    struct message *send = queue_take(&all->first_send, &all->last_send, receive->tag, NULL);

    if (send)
        hand_over(send, receive);
    else
        queue_add(&all->first_receive, &all->last_receive, receive);
}

static enum shoal_status mpi_begun(struct message *m, int code, struct comm_request *r,
                                   struct shoal_error *err)
{
    if (code != MPI_SUCCESS) {
        const bool is_send = m->state == MESSAGE_SEND;
        char doing[64];

        snprintf(doing, sizeof doing, "a message %s rank %d", is_send ? "to" : "from", m->peer);
        give_back(m);
        return comm_mpi_fail(err, code, doing);
    }
    r->handle = m;
    return SHOAL_OK;
}

enum shoal_status comm_send(struct comm *c, int32_t to, int32_t tag, const void *bytes, size_t n,
                            struct comm_request *r, struct shoal_error *err)
{
    struct message *m = NULL;

    r->handle = NULL;
    if (n > INT_MAX)
        return shoal_fail(err, SHOAL_E_LIMIT,
                          "a message of %zu bytes to rank %d is too long: %d is the most", n, to,
                          INT_MAX);
    const enum shoal_status status = take(c, MESSAGE_SEND, to, tag, &m, err);

    if (status)
        return status;
    m->from = bytes;
    m->n = n;
    if (c->has_mpi)
        return mpi_begun(m, MPI_Isend(bytes, (int)n, MPI_BYTE, to, tag, c->world.comm, &m->request),
                         r, err);
    send_to_self(&c->messages, m);
    r->handle = m;
    return SHOAL_OK;
}

enum shoal_status comm_receive(struct comm *c, int32_t from, int32_t tag, void *bytes,
                               size_t capacity, struct comm_request *r, struct shoal_error *err)
{
    struct message *m = NULL;

    r->handle = NULL;
    const enum shoal_status status = take(c, MESSAGE_RECEIVE, from, tag, &m, err);

    if (status)
        return status;
    m->into = bytes;
    m->n = capacity < INT_MAX ? capacity : INT_MAX; /* nothing longer is ever sent */
    if (c->has_mpi)
        return mpi_begun(
            m, MPI_Irecv(bytes, (int)m->n, MPI_BYTE, from, tag, c->world.comm, &m->request), r,
            err);
    receive_from_self(&c->messages, m);
    r->handle = m;
    return SHOAL_OK;
}

_Noreturn static void message_lost(struct message *m, const char *why)
{
    log_error("a message %s rank %d (tag %d, room for %zu bytes) failed: %s: ending all ranks",
              m->state == MESSAGE_SEND ? "to" : "from", m->peer, m->tag, m->n, why);
    comm_abort(m->c, 1);
}

/* Sets m->is_done and, for a receive, m->n. */
static void test_mpi(struct message *m)
{
    MPI_Status status;
    int is_done = 0, n = 0;
    int code = MPI_Test(&m->request, &is_done, &status);

    if (code == MPI_SUCCESS && is_done && m->state == MESSAGE_RECEIVE) {
        code = MPI_Get_count(&status, MPI_BYTE, &n);
        m->n = (size_t)n;
    }
    if (code != MPI_SUCCESS) {
        struct shoal_error err;

        comm_mpi_fail(&err, code, "a message");
        message_lost(m, err.text);
    }
    m->is_done = is_done;
}

bool comm_test(struct comm_request *r, size_t *n_received)
{
    struct message *m = r->handle;

    if (!m) {
        if (n_received)
            *n_received = 0;
        return true;
    }
    if (m->c->has_mpi)
        test_mpi(m);
    if (!m->is_done)
        return false;
    if (m->is_cut)
        message_lost(m, "it is longer than that");
    if (n_received)
        *n_received = m->state == MESSAGE_RECEIVE ? m->n : 0;
    give_back(m);
    r->handle = NULL;
    return true;
}

static void cancel(struct message *m)
{
    struct messages *all = &m->c->messages;

    if (!m->c->has_mpi) {
        queue_take(&all->first_receive, &all->last_receive, 0, m);
    } else if (m->request != MPI_REQUEST_NULL) {
        struct shoal_error err;
        const int code = MPI_Cancel(&m->request);

        if (comm_mpi_wait(m->c, code, &m->request, "giving up a receive", &err))
            log_warn("%s", err.text);
    }
    give_back(m);
}

void comm_cancel(struct comm_request *r)
{
    struct message *m = r->handle;

    if (!m)
        return;
    assert(m->state == MESSAGE_RECEIVE);
    cancel(m);
    r->handle = NULL;
}

void comm_messages_fini(struct comm *c)
{
    while (c->messages.chunks) {
        struct message_chunk *chunk = c->messages.chunks;

        for (int32_t i = 0; i < chunk->n; i++) {
            struct message *m = &chunk->messages[i];

            if (m->state == MESSAGE_RECEIVE)
                cancel(m);
            else if (m->state == MESSAGE_SEND && m->request != MPI_REQUEST_NULL)
                MPI_Request_free(&m->request); /* MPI cannot take back a send */
        }
        c->messages.chunks = chunk->next;
        mem_free(chunk);
    }
}
