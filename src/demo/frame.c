#include "demo/frame.h"

#include "engine/interrupt.h"

static enum shoal_status lead(struct demo_run *r, const struct demo_options *o, demo_print_t print,
                              struct shoal_error *err)
{
    struct show s;
    enum shoal_status status = demo_run_fill(r, o, err);

    if (!status)
        status = demo_run_all(r, err);
    show_begin(&s);
    if (!status)
        status = print(&s, r, o, err);
    if (!status)
        show_flush(&s);
    show_end(&s);
    return status;
}

enum shoal_status demo_run_and_print(const struct demo_options *o, demo_print_t print,
                                     struct shoal_error *err)
{
    struct demo_run r = {0};
    enum shoal_status status = demo_run_open(&r, o, NULL, err);

    if (!status && shoal_rank(r.engine) > 0) {
        interrupt_ignore();
        status = shoal_serve(r.engine, err);
    } else if (!status) {
        status = lead(&r, o, print, err);
    }
    demo_run_close(&r);
    return status;
}
