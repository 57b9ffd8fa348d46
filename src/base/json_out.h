/* base/json_out.h - pieces of JSON text */
#ifndef BASE_JSON_OUT_H
#define BASE_JSON_OUT_H

#include "base/text.h"

/* The n bytes as a JSON string, in quotes; what is not UTF-8 becomes U+FFFD. */
void json_put_string(struct text *out, const char *bytes, size_t n);
void json_put_words(struct text *out, const char *s); /* ends in 0 */
/* With as many digits as a float has. JSON knows no infinity: -9999 and 9999 stand for them, and
 * null for NaN. */
void json_put_float(struct text *out, double x);
/* [1,2,3] */
void json_put_ids(struct text *out, const int32_t ids[], size_t n);

#endif
