/* engine/matrix_hashes.h - the hashes of logits that a step log holds, brought to their requests */
#ifndef ENGINE_MATRIX_HASHES_H
#define ENGINE_MATRIX_HASHES_H

#include "engine/matrix.h"

/* Reads the log at path and gives each answer of the requests from first_id on the hash of the row
 * of logits behind each of its tokens. False, with what is wrong in *err, unless each token has
 * exactly one. */
bool matrix_add_hashes(const char *path, uint64_t first_id, struct matrix_recording *r,
                       struct shoal_error *err);

#endif
