#include "engine/timeline.h"

#include "base/mem.h"
#include "draw/timeline.h"
#include "step/log.h"

#include <string.h>

/* A request of the log. */
struct lane {
    uint64_t request;
    char *name;
    int32_t n_prompt;
    int32_t first_rank, rank; /* where it ran first, and where it runs; -1: not yet known */
    size_t last_run;          /* cell after its last one that ran; 0: none */
    bool runs;
};

struct drawing {
    int32_t n_ranks;
    struct lane *lanes;
    int32_t n_lanes, max_lanes;
    int32_t *slot_lane; /* (n_ranks, max_seqs) lane that has the slot, or -1 */
    int32_t max_seqs;
    struct timeline_cell *cells;
    size_t n_cells, max_cells;
};

static int32_t find_lane(const struct drawing *d, uint64_t request)
{
    for (int32_t i = d->n_lanes - 1; i >= 0; i--)
        if (d->lanes[i].request == request)
            return i;
    return -1;
}

static bool add_lane(struct drawing *d, const struct step_log_request *request)
{
    if (d->n_lanes == d->max_lanes) {
        const int32_t capacity = d->max_lanes ? 2 * d->max_lanes : 32;
        struct lane *lanes = mem_resize(d->lanes, (size_t)capacity, sizeof *lanes);
        if (!lanes)
            return false;
        d->lanes = lanes;
        d->max_lanes = capacity;
    }
    struct lane *lane = &d->lanes[d->n_lanes];
    *lane = (struct lane){.request = request->request,
                          .name = mem_strdup(request->custom_id),
                          .n_prompt = request->n_prompt,
                          .first_rank = -1,
                          .rank = -1};
    d->n_lanes += lane->name != NULL;
    return lane->name != NULL;
}

static bool add_cell(struct drawing *d, struct timeline_cell cell)
{
    if (d->n_cells == d->max_cells) {
        const size_t capacity = d->max_cells ? 2 * d->max_cells : 1024;
        struct timeline_cell *cells = mem_resize(d->cells, capacity, sizeof *cells);
        if (!cells)
            return false;
        d->cells = cells;
        d->max_cells = capacity;
    }
    d->cells[d->n_cells++] = cell;
    return true;
}

/* Several tokens behind the prompt are computed again after a preemption: a prefill too. */
static enum timeline_kind kind_of(const struct lane *lane, int32_t n_computed, int32_t n_scheduled)
{
    return n_computed < lane->n_prompt || n_scheduled > 1 ? TIMELINE_PREFILL : TIMELINE_DECODE;
}

static bool add_running(struct drawing *d, const struct step_plan *p, const int32_t slot_lane[])
{
    bool is_good = true;

    for (int32_t i = 0; i < p->n_seqs; i++) {
        const int32_t lane = slot_lane[p->slots[i]];
        if (lane < 0)
            continue;
        is_good &=
            add_cell(d, (struct timeline_cell){
                            .rank = p->group,
                            .step = (int32_t)p->step,
                            .lane = lane,
                            .kind = kind_of(&d->lanes[lane], p->n_computed[i], p->n_scheduled[i]),
                            .n_tokens = p->n_scheduled[i]});
        d->lanes[lane].last_run = d->n_cells;
    }
    return is_good;
}

/* A plan: what runs in it; and what has come but does not run waits, for the first time or, its
 * slot being ended, after it was preempted. Where a request will run, and whether it will run again
 * at all, is not known yet: drop_false_waits sees to that. */
static bool add_plan(struct drawing *d, const struct step_plan *p)
{
    int32_t *slot_lane = d->slot_lane + (size_t)p->group * (size_t)d->max_seqs;
    bool is_good = true;

    for (int32_t i = 0; i < p->n_ended; i++) {
        const int32_t lane = slot_lane[p->ended[i]];
        slot_lane[p->ended[i]] = -1;
        if (lane >= 0 && d->lanes[lane].rank == p->group) /* not moved to another rank */
            d->lanes[lane].runs = false;
    }
    for (int32_t i = 0; i < p->n_new; i++) {
        const int32_t lane = find_lane(d, p->fresh[i].request);
        slot_lane[p->fresh[i].slot] = lane;
        if (lane < 0)
            continue;
        if (!d->lanes[lane].last_run)
            d->lanes[lane].first_rank = p->group;
        d->lanes[lane].rank = p->group;
        d->lanes[lane].runs = true;
    }
    is_good = add_running(d, p, slot_lane);
    for (int32_t lane = 0; lane < d->n_lanes; lane++)
        if (!d->lanes[lane].runs)
            is_good &= add_cell(d, (struct timeline_cell){.rank = p->group,
                                                          .step = (int32_t)p->step,
                                                          .lane = lane,
                                                          .kind = d->lanes[lane].last_run
                                                                      ? TIMELINE_PREEMPTED
                                                                      : TIMELINE_WAIT});
    return is_good;
}

/* A waiting cell stands in the steps of the rank where its request ran first; and a request that
 * never ran again was not preempted: it had ended. */
static void drop_false_waits(struct drawing *d)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n_cells; i++) {
        const struct timeline_cell *c = &d->cells[i];
        const struct lane *lane = &d->lanes[c->lane];
        const bool is_kept = c->kind == TIMELINE_WAIT ? c->rank == lane->first_rank
                             : c->kind == TIMELINE_PREEMPTED
                                 ? c->rank == lane->rank && i < lane->last_run
                                 : true;
        if (is_kept)
            d->cells[n++] = *c;
    }
    d->n_cells = n;
}

static enum shoal_status read_log(struct drawing *d, struct step_log_reader *reader,
                                  struct shoal_error *err)
{
    for (;;) {
        struct step_log_record record;
        const enum shoal_status status = step_log_reader_next(reader, &record, err);
        bool is_good = true;

        if (status != SHOAL_OK)
            return status;
        if (record.kind == STEP_LOG_END || record.kind == STEP_LOG_CUT)
            return SHOAL_OK;
        if (record.kind == STEP_LOG_REQUEST)
            is_good = add_lane(d, &record.request);
        else if (record.kind == STEP_LOG_PLAN)
            is_good = add_plan(d, record.plan);
        if (!is_good)
            return shoal_fail_memory(err, "a timeline", d->max_cells * sizeof *d->cells);
    }
}

static enum shoal_status draw(const struct drawing *d, int32_t budget, struct text *out,
                              struct shoal_error *err)
{
    const char **names = mem_new((size_t)d->n_lanes, sizeof *names);

    if (!names)
        return shoal_fail_memory(err, "a timeline", (size_t)d->n_lanes * sizeof *names);
    for (int32_t i = 0; i < d->n_lanes; i++)
        names[i] = d->lanes[i].name;
    timeline_draw(&(struct timeline){.lane_names = names,
                                     .n_lanes = d->n_lanes,
                                     .n_ranks = d->n_ranks,
                                     .budget = budget,
                                     .cells = d->cells,
                                     .n_cells = d->n_cells},
                  out);
    mem_free(names);
    return out->failed ? shoal_fail_memory(err, "a timeline", out->n) : SHOAL_OK;
}

enum shoal_status engine_timeline(const char *path, struct text *out, struct shoal_error *err)
{
    struct step_log_reader *reader;
    struct drawing d = {0};
    enum shoal_status status = step_log_reader_open(&reader, path, err);

    if (status != SHOAL_OK)
        return status;
    const struct step_log_head *head = step_log_reader_head(reader);
    const size_t n_slots = (size_t)head->n_groups * (size_t)head->limits.max_seqs;
    d.n_ranks = head->n_groups;
    d.max_seqs = head->limits.max_seqs;
    d.slot_lane = mem_new(n_slots, sizeof *d.slot_lane);
    if (d.slot_lane) {
        memset(d.slot_lane, 0xff, n_slots * sizeof *d.slot_lane);
        status = read_log(&d, reader, err);
        drop_false_waits(&d);
        if (status == SHOAL_OK)
            status = draw(&d, head->limits.max_tokens, out, err);
    } else {
        status = shoal_fail_memory(err, "a timeline", n_slots * sizeof *d.slot_lane);
    }
    for (int32_t i = 0; i < d.n_lanes; i++)
        mem_free(d.lanes[i].name);
    mem_free(d.lanes);
    mem_free(d.cells);
    mem_free(d.slot_lane);
    step_log_reader_close(reader);
    return status;
}
