/* base/status.h - filling struct shoal_error (include/shoal/status.h)
 *
 * The first function that decides that something is an error fills it; callers pass the status up.
 */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include "shoal/status.h"

#include <stddef.h>

/* Fills *err (NULL allowed) with the formatted sentence and returns status, so that
 * `return shoal_fail(err, SHOAL_E_FORMAT, "tensor %s: ...", name);` is the whole error path.
 * Keeps errno. */
enum shoal_status shoal_fail(struct shoal_error *err, enum shoal_status status, const char *format,
                             ...) __attribute__((format(printf, 3, 4)));

/* shoal_fail for an allocation of n_bytes named by what ("KV pool"). */
enum shoal_status shoal_fail_memory(struct shoal_error *err, const char *what, size_t n_bytes);

/* Puts "context: " before the sentence that is already in *err. Returns err's status. */
enum shoal_status shoal_error_prefix(struct shoal_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
