/* engine/events.h - the events that wait to be fetched
 *
 * Texts and log-probabilities are kept in growing stores beside the queue, and a request that has
 * ended is kept until its last event has been fetched. Leader's thread. */
#ifndef ENGINE_EVENTS_H
#define ENGINE_EVENTS_H

#include "base/text.h"
#include "engine/requests.h"

/* An event whose pointers are still offsets into the stores. */
struct queued_event {
    struct shoal_event event;
    struct request *request;
    bool is_last; /* of its request */
    size_t text, logprobs, error;
};

struct events {
    struct queued_event *queue; /* [first, n) wait */
    size_t first, n, capacity;
    struct text text; /* texts and error sentences, each ending in 0 */
    struct shoal_logprob *logprobs;
    size_t n_logprobs, max_logprobs;
    struct request *ended; /* owner of what the event that was fetched last points to, or NULL */
};

void events_fini(struct events *e);
bool events_wait(const struct events *e); /* is there one? */

/* Room for another event, with request, choice and counts filled in; NULL when out of memory. The
 * pointer is good until the next call. Text is written to e->text from now to events_end_text. */
struct queued_event *events_add(struct events *e, struct request *request, int32_t choice);
/* What was appended to e->text since events_add is the event's text. */
void events_end_text(struct events *e, struct queued_event *q);
void events_set_error(struct events *e, struct queued_event *q, const char *sentence);
bool events_set_logprobs(struct events *e, struct queued_event *q,
                         const struct shoal_logprob *entries, int32_t n);

/* The oldest event; false: none. requests: from which a request whose last event this was goes when
 * the next event is fetched. */
bool events_next(struct events *e, struct requests *requests, struct shoal_event *out);

/* The event that was added last goes to its request's callback instead of the queue; the request
 * goes with its last event. */
void events_deliver(struct events *e, struct requests *requests);

#endif
