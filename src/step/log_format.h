/* step/log_format.h - the constants and checks that the log's writer and reader share */
#ifndef STEP_LOG_FORMAT_H
#define STEP_LOG_FORMAT_H

#include "base/hash.h"

#include <stddef.h>
#include <stdint.h>

enum {
    LOG_MAGIC = 0x474c4853, /* "SHLG" */
    LOG_HEAD_BYTES = 64,    /* before the texts; the last 8 are the checks */
    LOG_RECORD_BYTES = 24,  /* tag, group, length, check of these, check of the bytes */
    LOG_REQUEST_BYTES = 16, /* before the custom id */
    LOG_END_BYTES = 24,

    LOG_TAG_REQUEST = 0x54514552, /* "REQT" */
    LOG_TAG_PLAN = 0x4e414c50,    /* "PLAN" */
    LOG_TAG_RESULT = 0x544c5352,  /* "RSLT" */
    LOG_TAG_END = 0x21444e45      /* "END!" */
};

static inline uint32_t log_check(const void *bytes, size_t n, uint32_t before)
{
    return (uint32_t)hash64(bytes, n, before);
}

#endif
