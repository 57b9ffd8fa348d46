#include "study/scaling_options.h"

#include <stddef.h>
#include <string.h>

enum { MAX_THREADS = 4096, MAX_REPEAT = 100, MAX_RANKS = 64 };

#define FIELD(name) offsetof(struct scaling_options, name)

static const struct setting settings[] = {
    {.name = "out",
     .letter = 'o',
     .kind = SETTING_STRING,
     .offset = FIELD(out),
     .value = "DIR",
     .help = "folder for raw.csv, results.json, plots/, report.md and report.html; a study that "
             "was stopped goes on there",
     .group = "Study"},
    {.name = "quick",
     .kind = SETTING_FLAG,
     .offset = FIELD(quick),
     .help = "fewer points, shorter runs: under two minutes with the embedded model"},
    {.name = "only",
     .kind = SETTING_LIST,
     .offset = FIELD(only),
     .value = "NAME",
     .help = "this experiment alone"},
    {.name = "repeat",
     .kind = SETTING_INT,
     .offset = FIELD(repeat),
     .high = MAX_REPEAT,
     .value = "N",
     .help = "runs of each point",
     .text_default = "5, or 4 with --quick"},
    {.name = "dry-run",
     .kind = SETTING_FLAG,
     .offset = FIELD(dry_run),
     .help = "list the points and the time they will take, and measure nothing"},
    {.name = "model",
     .letter = 'm',
     .kind = SETTING_STRING,
     .offset = FIELD(model),
     .value = "FILE",
     .help = "GGUF file, or `embedded`, or `tiny`",
     .group = "What is measured"},
    {.name = "threads",
     .letter = 't',
     .kind = SETTING_STRING,
     .offset = FIELD(threads),
     .value = "N,N,...",
     .help = "threads a rank that are tried, ascending",
     .text_default = "1, 2, 4, ... and the cores"},
    {.name = "max-ranks",
     .kind = SETTING_INT,
     .offset = FIELD(max_ranks),
     .high = MAX_RANKS,
     .value = "N",
     .help = "most ranks that are tried",
     .text_default = "the cores; twice that with --oversubscribe"},
    {.name = "oversubscribe",
     .kind = SETTING_FLAG,
     .offset = FIELD(oversubscribe),
     .help = "measure more ranks and threads than cores, too; such points are marked and have no "
             "efficiency"},
    {.name = "seed",
     .kind = SETTING_U64,
     .offset = FIELD(seed),
     .value = "N",
     .help = "of the prompts and of the order of the runs"},
};

const struct command scaling_command = {
    .name = "study scaling",
    .usage = "[options] --out DIR",
    .about =
        "Measures how speed depends on load (scheduler, layout, attention, concurrency, prompt), "
        "on settings (budget, chunk, block), and on threads and ranks (threads, strong, weak), and "
        "writes a report with plots. Each run is this program in a process of its own, under "
        "mpirun for several ranks; plots are drawn by gnuplot. It can be stopped at any time: the "
        "same command goes on with what is missing.",
    .examples = "shoal study scaling --quick --out study\n"
                "shoal study scaling -m model.gguf --out study --only strong --only weak\n"
                "shoal study scaling --out study --dry-run",
};

struct setting_table scaling_options_table(struct scaling_options *options)
{
    *options = (struct scaling_options){.model = "embedded"};
    return (struct setting_table){settings, sizeof settings / sizeof *settings, options};
}

int32_t scaling_read_threads(const char *text, int32_t out[], int32_t capacity)
{
    int32_t n = 0;

    for (;;) {
        const size_t length = strcspn(text, ",");
        char item[16];
        int64_t value;
        if (length >= sizeof item || n == capacity)
            return -1;
        memcpy(item, text, length);
        item[length] = '\0';
        if (!parse_i64(item, n > 0 ? out[n - 1] + 1 : 1, MAX_THREADS, &value))
            return -1;
        out[n++] = (int32_t)value;
        if (text[length] == '\0')
            return n;
        text += length + 1;
    }
}
