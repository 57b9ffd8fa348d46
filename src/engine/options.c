#include "engine/options.h"

#include "base/env_rank.h"
#include "base/log.h"
#include "engine/settings.h"

#include <stdlib.h>
#include <string.h>

struct setting_table engine_options_table(struct shoal_options *options)
{
    shoal_options_default(options);
    return engine_settings(options);
}

int engine_options_check(const struct command_line *cl, const struct shoal_options *options)
{
    /* The number of ranks is known to the engine alone: as many as are asked for will do here. */
    const int32_t n_ranks = options->dp > 0 ? options->dp : 1;
    struct shoal_error err;

    if (engine_settings_check(options, n_ranks, &err))
        return command_line_refuse(cl, "%s", err.text);
    if (options->enable_prefix_caching && strcmp(options->kv_layout, "dense") == 0 &&
        command_line_given(cl, "enable-prefix-caching"))
        return command_line_refuse(cl, "--kv-layout dense has no prefix cache: leave out "
                                       "--enable-prefix-caching");
    return EXIT_SUCCESS;
}

int engine_options_failed(const struct command_line *cl, const struct shoal_error *err)
{
    if (err->status == SHOAL_E_INVALID)
        return command_line_refuse(cl, "%s", err->text);
    if (env_rank() == 0)
        log_error("%s", err->text);
    return EXIT_FAILURE;
}
