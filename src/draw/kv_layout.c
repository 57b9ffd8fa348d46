#include "draw/kv_layout.h"

#include "base/mem.h"
#include "draw/svg.h"

#include <stdio.h>

enum { LEFT = 88, TOP = 112, WIDTH = 760, LANE = 24, BAR = 16, BLOCK_HIGH = 34, RIGHT = 40 };

struct totals {
    int64_t n_tokens, n_dense, n_paged; /* token slots: used, taken when dense, taken when paged */
    int32_t longest;                    /* run of the dense cache */
};

static struct totals count(const struct kv_layout_picture *p)
{
    struct totals t = {.longest = 1};

    for (int32_t i = 0; i < p->n_requests; i++) {
        const struct kv_layout_request *r = &p->requests[i];
        t.n_tokens += r->n_tokens;
        t.n_dense += r->n_most;
        t.n_paged += (int64_t)r->n_blocks * p->block_size;
        if (r->n_most > t.longest)
            t.longest = r->n_most;
    }
    return t;
}

static double wasted(int64_t n_used, int64_t n_taken)
{
    return n_taken > 0 ? 100.0 * (double)(n_taken - n_used) / (double)n_taken : 0;
}

static double draw_dense(const struct kv_layout_picture *p, const struct totals *t, double y,
                         struct text *out)
{
    const double token = (double)WIDTH / t->longest;
    const int32_t every = svg_tick(t->longest, 10);

    svg_text(out, LEFT, y - 12, "s-head",
             "dense: %lld of %lld reserved token slots are used, %.0f %% wasted",
             (long long)t->n_tokens, (long long)t->n_dense, wasted(t->n_tokens, t->n_dense));
    for (int32_t i = 0; i < p->n_requests; i++) {
        const struct kv_layout_request *r = &p->requests[i];
        char tip[128];
        snprintf(tip, sizeof tip, "%.32s: %d of %d token slots hold K and V", r->name, r->n_tokens,
                 r->n_most);
        svg_text(out, LEFT - 10, y + i * LANE + 13, "s-ink s-end", "%.10s", r->name);
        svg_rect(out, LEFT, y + i * LANE, r->n_tokens * token, BAR, svg_lane_class(i), tip);
        svg_rect(out, LEFT + r->n_tokens * token, y + i * LANE, (r->n_most - r->n_tokens) * token,
                 BAR, "s-hatch", tip);
    }
    y += p->n_requests * LANE;
    svg_line(out, LEFT, y, LEFT + WIDTH, y, "s-axis");
    for (int32_t v = 0; v <= t->longest; v += every) {
        svg_line(out, LEFT + v * token, y, LEFT + v * token, y + 4, "s-axis");
        svg_text(out, LEFT + v * token, y + 16, "s-mut s-mid", "%d", v);
    }
    svg_text(out, LEFT + WIDTH, y + 30, "s-mut s-end", "token slots of a request's run");
    return y + 36;
}

/* Whose block it is, and how many of its slots are used. */
struct owned {
    int32_t request, n_used; /* request -1: free */
};

static void draw_block(const struct kv_layout_picture *p, int32_t block, const struct owned *o,
                       double x, double y, double width, struct text *out)
{
    char tip[128];

    if (o->request < 0) {
        snprintf(tip, sizeof tip, "block %d is free", block);
        svg_rect(out, x, y, width, BLOCK_HIGH - 16, "s-cell", tip);
    } else {
        const double used = width * o->n_used / p->block_size;
        snprintf(tip, sizeof tip, "block %d of %.32s: %d of %d slots used", block,
                 p->requests[o->request].name, o->n_used, p->block_size);
        svg_rect(out, x, y, used, BLOCK_HIGH - 16, svg_lane_class(o->request), tip);
        if (o->n_used < p->block_size)
            svg_rect(out, x + used, y, width - used, BLOCK_HIGH - 16, "s-hatch", tip);
    }
    if (width >= 20)
        svg_text(out, x + width / 2, y + BLOCK_HIGH - 6, "s-mut s-mid", "%d", block);
}

static double draw_pool(const struct kv_layout_picture *p, const struct owned owned[], double y,
                        struct text *out)
{
    const int32_t a_row = p->n_pool_blocks < 20 ? p->n_pool_blocks : 20;
    const double width = (double)WIDTH / (a_row > 0 ? a_row : 1);
    const double shown = width > 60 ? 60 : width;

    for (int32_t b = 0; b < p->n_pool_blocks; b++)
        draw_block(p, b, &owned[b], LEFT + (b % a_row) * shown, y + (b / a_row) * BLOCK_HIGH,
                   shown - 3, out);
    return y + ((p->n_pool_blocks + a_row - 1) / (a_row > 0 ? a_row : 1)) * BLOCK_HIGH;
}

static double draw_tables(const struct kv_layout_picture *p, double y, struct text *out)
{
    enum { SHOWN = 24 };

    svg_text(out, LEFT, y + 12, "s-mut",
             "block tables: position i of a request is in slot i mod "
             "%d of entry i / %d",
             p->block_size, p->block_size);
    y += 22;
    for (int32_t i = 0; i < p->n_requests; i++, y += 22) {
        const struct kv_layout_request *r = &p->requests[i];
        svg_text(out, LEFT - 10, y + 12, "s-ink s-end", "%.10s", r->name);
        for (int32_t b = 0; b < r->n_blocks && b < SHOWN; b++) {
            svg_rect(out, LEFT + b * 31, y, 28, 16, svg_lane_class(i), NULL);
            svg_text(out, LEFT + b * 31 + 14, y + 12, "s-on s-mid", "%d", r->block_table[b]);
        }
        if (r->n_blocks > SHOWN)
            svg_text(out, LEFT + SHOWN * 31, y + 12, "s-mut", "..");
    }
    return y;
}

static bool find_owners(const struct kv_layout_picture *p, struct owned owned[])
{
    for (int32_t b = 0; b < p->n_pool_blocks; b++)
        owned[b].request = -1;
    for (int32_t i = 0; i < p->n_requests; i++)
        for (int32_t b = 0; b < p->requests[i].n_blocks; b++) {
            const int32_t block = p->requests[i].block_table[b];
            const int32_t left = p->requests[i].n_tokens - b * p->block_size;
            if (block < 0 || block >= p->n_pool_blocks)
                return false;
            owned[block] = (struct owned){i, left > p->block_size ? p->block_size
                                             : left > 0           ? left
                                                                  : 0};
        }
    return true;
}

void kv_layout_draw(const struct kv_layout_picture *p, struct text *out)
{
    const struct totals t = count(p);
    const int32_t rows = (p->n_pool_blocks + 19) / 20;
    const double high =
        TOP + p->n_requests * LANE + 36 + 46 + rows * BLOCK_HIGH + 28 + p->n_requests * 22 + 20;
    struct owned *owned = mem_new((size_t)p->n_pool_blocks, sizeof *owned);
    double x, y;

    if (!owned || !find_owners(p, owned)) {
        out->failed = true;
        mem_free(owned);
        return;
    }
    svg_begin(out, LEFT + WIDTH + RIGHT, high, p->title);
    svg_text(out, LEFT, 28, "s-head", "%s", p->title);
    x = svg_legend(out, LEFT, 46, "s-0", "holds K and V (a colour a request)");
    x = svg_legend(out, x, 46, "s-hatch", "taken, but holds nothing");
    svg_legend(out, x, 46, "s-cell", "free");
    y = draw_dense(p, &t, TOP, out) + 36;
    svg_text(out, LEFT, y - 12, "s-head",
             "%s, %d tokens a block: %lld of %lld slots are used, %.0f %% wasted", p->layout,
             p->block_size, (long long)t.n_tokens, (long long)t.n_paged,
             wasted(t.n_tokens, t.n_paged));
    y = draw_pool(p, owned, y, out);
    draw_tables(p, y + 6, out);
    svg_end(out);
    mem_free(owned);
}
