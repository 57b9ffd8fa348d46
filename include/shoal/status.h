/* shoal/status.h - how shoal's functions say that they failed
 *
 * A function that can fail returns enum shoal_status (0 or negative) and takes a last argument
 * struct shoal_error *, which may be NULL and is filled, by the first function that knows what went
 * wrong, with one sentence that names the thing, the value and what to do. */
#ifndef SHOAL_STATUS_H
#define SHOAL_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#define SHOAL_API __attribute__((visibility("default")))

enum shoal_status {
    SHOAL_OK = 0,
    SHOAL_E_NO_MEMORY = -1,   /* an allocation failed */
    SHOAL_E_INVALID = -2,     /* an argument, option or request that cannot be right */
    SHOAL_E_IO = -3,          /* a file or socket: open, read, write, full disk */
    SHOAL_E_FORMAT = -4,      /* bytes from outside that are not what they claim to be */
    SHOAL_E_UNSUPPORTED = -5, /* well-formed, but shoal does not have it */
    SHOAL_E_LIMIT = -6,       /* does not fit: context, pool, queue */
    SHOAL_E_MISMATCH = -7,    /* two ranks, a log and a run, or a plan and a state differ */
    SHOAL_E_INTERRUPTED = -8, /* SIGINT, SIGTERM, or a cancelled request */
    SHOAL_E_INTERNAL = -9     /* a bug in shoal */
};

/* One sentence about a failure. The caller owns it; zero it or leave it uninitialised. */
struct shoal_error {
    enum shoal_status status;
    char text[512]; /* ends in 0; cut where the sentence is longer */
};

/* The name of a status in lower case words ("out of memory"), for messages. Never NULL. */
SHOAL_API const char *shoal_status_name(enum shoal_status status);

#ifdef __cplusplus
}
#endif
#endif
