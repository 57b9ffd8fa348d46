#include "study/figures.h"

#include "base/log.h"
#include "base/status.h"
#include "study/figure.h"
#include "study/files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { SECONDS_TO_DRAW = 60, MAX_NAME = 4096 };

static enum shoal_status draw(const char *folder, const struct figure *f,
                              const struct stop_signals *stop, bool *is_drawn,
                              struct shoal_error *err)
{
    char script[64], words[200];
    const char *const argv[] = {"gnuplot", script, NULL};
    struct child_output output;
    enum shoal_status status;

    snprintf(script, sizeof script, "%s.gp", f->name);
    status = child_run(&output, argv, folder, SECONDS_TO_DRAW, stop, err);
    *is_drawn = !status && output.code == 0;
    if (!status && output.code != 0)
        log_warn("gnuplot cannot draw %s/%s: %s", folder, script,
                 child_last_words(&output, words, sizeof words));
    child_output_fini(&output);
    return status;
}

static enum shoal_status write_one(const struct scaling_study *s, const char *folder,
                                   const struct figure *f, struct shoal_error *err)
{
    struct text data = {0}, script = {0};
    char name[64];
    enum shoal_status status;

    figure_print(s, f, &data, &script);
    snprintf(name, sizeof name, "%s.dat", f->name);
    status = file_write(folder, name, &data, err);
    snprintf(name, sizeof name, "%s.gp", f->name);
    if (!status)
        status = file_write(folder, name, &script, err);
    text_fini(&data);
    text_fini(&script);
    return status;
}

enum shoal_status figures_write(const struct scaling_study *s, const struct stop_signals *stop,
                                struct figure_files files[FIGURES_MAX], int32_t *n,
                                struct shoal_error *err)
{
    char folder[MAX_NAME];
    const struct figure *f;
    enum shoal_status status = SHOAL_OK;

    *n = 0;
    if ((size_t)snprintf(folder, sizeof folder, "%s/plots", s->out) >= sizeof folder)
        return shoal_fail(err, SHOAL_E_INVALID, "the name of the folder is too long");
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return shoal_fail(err, SHOAL_E_IO, "cannot make the folder %s: %s", folder,
                          strerror(errno));
    for (int32_t i = 0; !status && (f = figure_at(i)) && *n < FIGURES_MAX; i++) {
        struct figure_files *file = &files[*n];
        if (!study_has(s, f->experiment) ||
            (f->panels[0].kind == PANEL_RANKS && figure_ranks_point(s, f->experiment) < 0))
            continue;
        *file = (struct figure_files){
            .name = f->name, .experiment = f->experiment, .caption = f->caption};
        status = write_one(s, folder, f, err);
        if (!status && s->machine.has_gnuplot)
            status = draw(folder, f, stop, &file->is_drawn, err);
        *n += !status;
    }
    return status;
}
