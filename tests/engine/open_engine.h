/* engine/open_engine.h - an engine that opens, or the test ends */
#ifndef TESTS_ENGINE_OPEN_ENGINE_H
#define TESTS_ENGINE_OPEN_ENGINE_H

#include "shoal/shoal.h"

#include <check.h>

static inline struct shoal_engine *open_engine(const struct shoal_options *options)
{
    struct shoal_engine *engine;
    struct shoal_error err;

    ck_assert_msg(shoal_engine_open(&engine, options, &err) == SHOAL_OK, "%s", err.text);
    return engine;
}

#endif
