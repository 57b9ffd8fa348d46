/* How a stage is shared out: each thing and each rectangle of a linear stage once, whoever takes
 * it, and rows with the thread that made them. The threads take by turns here, in one thread. */
#include "support/suite.h"

#include "model/run.h"

#include <string.h>

enum { MOST_THREADS = 7, MOST = 700, MOST_ROWS = 200 };

/* n things; takers go in turn, a thread at a time, one turn in pause + 1 left out. */
static const struct {
    int32_t n_threads, n, pause;
} pieces_table[] = {
    {1, 0, 0}, {1, 1, 0},  {1, 100, 0}, {2, 0, 0}, {2, 1, 0},   {2, 3, 0},
    {2, 7, 2}, {2, 64, 3}, {3, 700, 2}, {7, 5, 0}, {7, 699, 5}, {7, 48, 1},
};

START_TEST(every_thing_once)
{
    const int32_t n_threads = pieces_table[_i].n_threads, n = pieces_table[_i].n;
    struct team_share shares[MOST_THREADS] = {0};
    struct team_pieces mine[MOST_THREADS];
    int32_t seen[MOST] = {0}, n_through = 0;
    bool is_through[MOST_THREADS] = {false};
    struct team team;

    team_init(&team, n_threads, shares);
    for (int32_t t = 0; t < n_threads; t++)
        mine[t] = team_pieces(&team, t, n);
    for (int32_t turn = 1; n_through < n_threads; turn++)
        for (int32_t t = 0; t < n_threads; t++) {
            const int32_t pause = pieces_table[_i].pause;
            int64_t begin, end;
            if (is_through[t] || (pause > 0 && (turn + t) % (pause + 1) == 0))
                continue;
            if (!team_next(&mine[t], &begin, &end)) {
                is_through[t] = true;
                n_through++;
                continue;
            }
            ck_assert(begin >= 0 && begin < end && end <= n);
            for (int64_t i = begin; i < end; i++)
                seen[i]++;
        }
    for (int32_t i = 0; i < n; i++)
        ck_assert_int_eq(seen[i], 1);
}
END_TEST

START_TEST(pieces_get_smaller)
{
    for (int64_t n = 64; n < 4096; n *= 3) {
        ck_assert_int_eq(team_piece_begin(n, 0), 0);
        ck_assert_int_eq(team_piece_begin(n, TEAM_PIECES), n);
        int64_t before = n;
        for (int32_t i = 0; i < TEAM_PIECES; i++) {
            const int64_t size = team_piece_begin(n, i + 1) - team_piece_begin(n, i);
            ck_assert(size > 0 && size <= before + 1); /* but for rounding */
            before = size;
        }
        ck_assert(before <= n / 32);
    }
}
END_TEST

/* n things for two threads, and what is left when one of them is through before the other begins:
 * its last two pieces where they are few, the last one, or none. */
static const struct {
    int32_t n, n_left;
} late_table[] = {{100, 3}, {256, 2}, {1280, 0}, {2, 0}};

START_TEST(one_who_is_late_leaves_its_share_to_others)
{
    struct team_share shares[2] = {0};
    struct team team;
    struct team_pieces late;
    const int32_t n_things = late_table[_i].n;
    int64_t begin, end, n = 0;

    team_init(&team, 2, shares);
    late = team_pieces(&team, 1, n_things);
    for (struct team_pieces p = team_pieces(&team, 0, n_things); team_next(&p, &begin, &end);)
        n += end - begin;
    ck_assert_int_eq(n, n_things - late_table[_i].n_left);
    while (team_next(&late, &begin, &end))
        n += end - begin;
    ck_assert_int_eq(n, n_things);
}
END_TEST

static const struct {
    int32_t n_threads, n_units, n_rows;
} walk_table[] = {
    {1, 1, 1},   {1, 36, 64},   {2, 48, 96},  {2, 48, 97}, {3, 36, 200}, {7, 1, 200},
    {2, 3, 193}, {7, 100, 200}, {2, 100, 12}, {2, 36, 64}, {3, 12, 199},
};

START_TEST(every_rectangle_once)
{
    const int32_t n_threads = walk_table[_i].n_threads, n_units = walk_table[_i].n_units;
    const int32_t n_rows = walk_table[_i].n_rows;
    static uint8_t seen[MOST][MOST_ROWS];
    struct team_share shares[MOST_THREADS] = {0};
    struct linear_walk walk[MOST_THREADS];
    struct linear_piece piece;
    struct model_run run;
    int32_t n_through = 0;
    bool is_through[MOST_THREADS] = {false};

    memset(&run, 0, sizeof run);
    memset(seen, 0, sizeof seen);
    team_init(&run.team, n_threads, shares);
    for (int32_t t = 0; t < n_threads; t++)
        walk[t] = linear_walk(&run, t, n_units, n_rows);
    while (n_through < n_threads)
        for (int32_t t = 0; t < n_threads; t++) {
            if (is_through[t])
                continue;
            if (!linear_next(&walk[t], &piece)) {
                is_through[t] = true;
                n_through++;
                continue;
            }
            ck_assert(piece.begin >= 0 && piece.begin < piece.end && piece.end <= n_units);
            ck_assert(piece.row >= 0 && piece.row < piece.row_end && piece.row_end <= n_rows);
            for (int64_t u = piece.begin; u < piece.end; u++)
                for (int32_t row = piece.row; row < piece.row_end; row++)
                    seen[u][row]++;
        }
    for (int32_t u = 0; u < n_units; u++)
        for (int32_t row = 0; row < n_rows; row++)
            ck_assert_int_eq(seen[u][row], 1);
}
END_TEST

/* Rows enough for blocks of their own: what a thread makes of its rows it reads itself. */
static const struct {
    int32_t n_threads, n_rows;
} own_table[] = {{2, 32},  {2, 47},  {2, 64},  {2, 97}, {2, 512},
                 {3, 300}, {4, 512}, {7, 224}, {1, 512}};

START_TEST(rows_stay_with_their_thread)
{
    const int32_t n_threads = own_table[_i].n_threads, n_rows = own_table[_i].n_rows;
    struct team_share shares[MOST_THREADS] = {0};
    struct linear_walk walk[MOST_THREADS];
    struct linear_piece piece;
    struct model_run run;

    memset(&run, 0, sizeof run);
    team_init(&run.team, n_threads, shares);
    for (int32_t t = 0; t < n_threads; t++)
        walk[t] = linear_walk(&run, t, MOST, n_rows);
    /* by turns, so nobody takes from another's share before all are through */
    for (bool is_through = false; !is_through;)
        for (int32_t t = 0; t < n_threads; t++) {
            int64_t begin, end;
            share(n_rows, n_threads, t, &begin, &end);
            if (!linear_next(&walk[t], &piece)) {
                is_through = true;
                continue;
            }
            /* blocks begin at whole groups of rows of the reference */
            ck_assert(piece.row > begin - REFERENCE_ROWS && piece.row_end <= end);
            ck_assert_int_ge(piece.row_end - piece.row,
                             (end - begin < 32 ? 16 : 32) - REFERENCE_ROWS);
            ck_assert_int_lt(piece.row_end - piece.row, 96 + REFERENCE_ROWS);
        }
}
END_TEST

SUITE_LOOPS("shares", {every_thing_once, sizeof pieces_table / sizeof *pieces_table},
            {pieces_get_smaller, 1},
            {one_who_is_late_leaves_its_share_to_others, sizeof late_table / sizeof *late_table},
            {every_rectangle_once, sizeof walk_table / sizeof *walk_table},
            {rows_stay_with_their_thread, sizeof own_table / sizeof *own_table})
