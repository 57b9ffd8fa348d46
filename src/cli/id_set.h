/* cli/id_set.h - which custom_ids have been seen: 16 bytes each, not the texts */
#ifndef CLI_ID_SET_H
#define CLI_ID_SET_H

#include "base/hash.h"

#include <stdbool.h>

/* Zero it to begin. */
struct id_set {
    struct hash128 *slots; /* (capacity) a power of two; {0, 0}: free */
    size_t n, capacity;
};

enum id_set_result { ID_NEW, ID_SEEN, ID_NO_MEMORY };

/* Two texts count as the same when 128 bits of hash are. */
enum id_set_result id_set_add(struct id_set *s, const char *id);
void id_set_fini(struct id_set *s);

#endif
