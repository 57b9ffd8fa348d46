#include "cli/progress.h"

#include "base/log.h"
#include "support/suite.h"

#include <pty.h>
#include <string.h>
#include <unistd.h>

static struct shoal_engine *open_engine(void)
{
    struct shoal_options options;
    struct shoal_engine *engine;

    shoal_options_default(&options);
    options.model = "tiny";
    options.threads = 1;
    options.num_kv_blocks = 64;
    ck_assert_int_eq(shoal_engine_open(&engine, &options, NULL), SHOAL_OK);
    return engine;
}

/* What reaches the file descriptor `from` of all that the progress line does around a warning. */
static void show(int to, int from, char out[static 1024])
{
    struct shoal_engine *engine = open_engine();
    const int saved = dup(STDERR_FILENO);
    struct progress p;
    ssize_t n;

    dup2(to, STDERR_FILENO);
    progress_begin(&p, true);
    progress_update(&p, engine, 3, 2);
    progress_update(&p, engine, 4, 2); /* too early to draw again */
    log_warn("something");
    progress_end(&p);
    log_warn("end");
    dup2(saved, STDERR_FILENO);
    /* A terminal hands over what was written in as many pieces as it likes. */
    out[0] = '\0';
    for (size_t at = 0; !strstr(out, "end\n") && !strstr(out, "end\r\n"); at += (size_t)n) {
        n = read(from, out + at, 1023 - at);
        ck_assert_int_gt(n, 0);
        out[at + (size_t)n] = '\0';
    }
    ck_assert_int_eq(shoal_engine_close(engine), SHOAL_OK);
}

START_TEST(on_a_terminal)
{
    char out[1024];
    const char *line = out, *again;
    int to, from;

    ck_assert_int_eq(openpty(&from, &to, NULL, NULL, NULL), 0);
    show(to, from, out);
    line = strstr(out, "\r3 done, 0 running, 2 waiting | 0 tok/s | KV 0 %");
    ck_assert_ptr_nonnull(line);
    again = strstr(line, "\r\033[Kshoal: warning: something\r\n\r3 done");
    ck_assert_msg(again != NULL, "%s", out);
    ck_assert_msg(strstr(again, "KV 0 %\r\033[Kshoal: warning: end\r\n") != NULL, "%s", out);
    ck_assert_ptr_null(strstr(out, "4 done"));
}
END_TEST

START_TEST(elsewhere)
{
    char out[1024];
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    show(ends[1], ends[0], out);
    ck_assert_str_eq(out, "shoal: warning: something\nshoal: warning: end\n");
}
END_TEST

SUITE("progress", on_a_terminal, elsewhere)
