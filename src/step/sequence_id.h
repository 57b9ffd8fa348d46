/* step/sequence_id.h - the number of a sequence: of its request and of its choice */
#ifndef STEP_SEQUENCE_ID_H
#define STEP_SEQUENCE_ID_H

#include <stdint.h>

enum { MAX_CHOICES = 1024 };

static inline uint64_t sequence_id(uint64_t request, int32_t choice)
{
    return request * MAX_CHOICES + (uint64_t)choice;
}
static inline uint64_t request_of(uint64_t sequence)
{
    return sequence / MAX_CHOICES;
}
static inline int32_t choice_of(uint64_t sequence)
{
    return (int32_t)(sequence % MAX_CHOICES);
}

#endif
