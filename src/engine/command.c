#include "engine/command.h"

#include "base/log.h"
#include "engine/interrupt.h"
#include "engine/options.h"

#include <stdlib.h>

int engine_command_serve(struct shoal_engine *engine)
{
    struct shoal_error err;

    interrupt_ignore();
    if (!shoal_serve(engine, &err))
        return EXIT_SUCCESS;
    log_error("%s", err.text);
    return EXIT_FAILURE;
}

int engine_command_close(struct shoal_engine *engine, int code)
{
    return shoal_engine_close(engine) && code == EXIT_SUCCESS ? EXIT_FAILURE : code;
}

int engine_command_code(const struct command_line *cl, enum shoal_status status,
                        const struct shoal_error *err)
{
    if (status == SHOAL_E_INTERRUPTED)
        return EXIT_INTERRUPTED;
    return status ? engine_options_failed(cl, err) : EXIT_SUCCESS;
}

static int lead(const struct command_line *cl, struct shoal_engine *engine, engine_work_t work,
                void *user)
{
    struct shoal_error err;
    enum shoal_status status = interrupt_begin(engine, &err);

    if (!status)
        status = work(engine, user, &err);
    interrupt_end();
    return engine_command_code(cl, status, &err);
}

int engine_command(const struct command_line *cl, const struct shoal_options *options,
                   engine_work_t work, void *user)
{
    struct shoal_engine *engine;
    struct shoal_error err;

    if (shoal_engine_open(&engine, options, &err))
        return engine_options_failed(cl, &err);
    return engine_command_close(engine, shoal_rank(engine) == 0 ? lead(cl, engine, work, user)
                                                                : engine_command_serve(engine));
}
