/* cli/json_in.h - values of a JSON object, checked: each error names the field and what it takes */
#ifndef CLI_JSON_IN_H
#define CLI_JSON_IN_H

#include "base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fills err: "top_k: "many" is not WHAT", with the value as JSON, cut where it is long. */
enum shoal_status json_refuse(const char *name, const json_t *value, const char *what,
                              struct shoal_error *err);

/* A number without a fraction (16.0 is fine) from low to high. */
enum shoal_status json_read_int(const char *name, const json_t *value, int64_t low, int64_t high,
                                int64_t *out, struct shoal_error *err);
/* From low to high; above_low: low itself is refused. */
enum shoal_status json_read_number(const char *name, const json_t *value, double low, double high,
                                   bool above_low, double *out, struct shoal_error *err);
enum shoal_status json_read_bool(const char *name, const json_t *value, bool *out,
                                 struct shoal_error *err);
/* A view into value, ends in 0. has_length false: a 0 byte inside is refused. */
enum shoal_status json_read_text(const char *name, const json_t *value, const char **out, size_t *n,
                                 struct shoal_error *err);
enum shoal_status json_read_word(const char *name, const json_t *value, const char **out,
                                 struct shoal_error *err);
/* An array of whole numbers from 0. *out is freed with mem_free. */
enum shoal_status json_read_ids(const char *name, const json_t *value, int32_t **out, int32_t *n,
                                struct shoal_error *err);

#endif
